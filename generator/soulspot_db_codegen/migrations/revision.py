"""A revision: its id, its title, its file's name."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from soulspot_db.language.names import MAX_NAME

from soulspot_db_codegen.migrations.differ import Difference
from soulspot_db_codegen.migrations.operations import Archive, Loss, Operation, Refusal, canonical
from soulspot_db_codegen.migrations.subjects import title

__all__ = ["Revision", "Steps", "file_name", "make_revision"]

_ID_LENGTH = 12
_NAME_LENGTH = 60
_SUFFIX_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Steps:
    """One direction: what is looked at first, and what is done then."""

    operations: Sequence[Operation]
    refusals: Sequence[Refusal]
    losses: Sequence[Loss]

    @property
    def words(self) -> list[str]:
        """What it does to a database."""
        return [operation.words for operation in self.operations]


@dataclass(frozen=True, slots=True)
class Revision:
    """What a revision file says.

    `id` is a hash of its parent and its operations. Where there is no way back, `down` is None and `one_way` says why.
    """

    id: str
    parent: str | None
    title: str
    modules: Sequence[str]
    schema_after: str
    up: Steps
    down: Steps | None
    one_way: str

    @property
    def advice(self) -> list[str]:
        """What its author should know before anybody runs it."""
        return list(dict.fromkeys(refusal.advice for refusal in self.up.refusals if refusal.advice))

    @property
    def operations(self) -> list[str]:
        """What it does to a database, in words."""
        return self.up.words


def make_revision(parent: str | None, schema: str, there: Difference, back: Difference | None) -> Revision:
    """The revision that goes from one snapshot to another.

    Args:
        parent: the revision before it.
        schema: the digest of the tables that it leads to.
        there: what it does.
        back: what its downgrade does, None where something would be lost.
    """
    text = json.dumps(canonical(there.operations), sort_keys=True, separators=(",", ":"))
    id = _hash(parent, text)[:_ID_LENGTH]
    up = Steps([_with_own_name(operation, id) for operation in there.operations], there.refusals, there.losses)
    return Revision(
        id=id,
        parent=parent,
        title=title(there.subjects or up.words),
        modules=sorted(there.modules),
        schema_after=schema,
        up=up,
        down=None if back is None else Steps(back.operations, back.refusals, back.losses),
        one_way="; ".join(there.one_way),
    )


def _hash(*parts: str | None) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def _with_own_name(operation: Operation, revision: str) -> Operation:
    """An archive with a name that no other has, whatever was kept before under the same words."""
    if not isinstance(operation, Archive):
        return operation
    suffix = _hash(revision, operation.select)[:_SUFFIX_LENGTH]
    return replace(operation, table=f"{operation.table[: MAX_NAME - _SUFFIX_LENGTH - 1]}_{suffix}")


def file_name(revision: Revision, number: int) -> str:
    """The name of the revision's file; only its number matters to people, and nothing to the history."""
    name = re.sub(r"[^a-z0-9]+", "_", revision.title.lower()).strip("_")
    return f"{number:04}_{name[:_NAME_LENGTH].rstrip('_')}.py"
