"""A revision: its id, its title, its file's name."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from soulspot_db_codegen.migrations.differ import Difference
from soulspot_db_codegen.migrations.operations import Loss, Operation, Refusal, canonical

__all__ = ["Revision", "Steps", "file_name", "make_revision"]

_ID_LENGTH = 12
_NAME_LENGTH = 60


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
    """What a revision file says. `id` is a hash of its parent and its operations; `down` is None where there is no way back."""

    id: str
    parent: str | None
    title: str
    modules: Sequence[str]
    schema_after: str
    up: Steps
    down: Steps | None

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
    up = Steps(there.operations, there.refusals, there.losses)
    text = json.dumps(canonical(there.operations), sort_keys=True, separators=(",", ":"))
    return Revision(
        id=hashlib.sha256(f"{parent}\n{text}".encode()).hexdigest()[:_ID_LENGTH],
        parent=parent,
        title=_title(up.words),
        modules=sorted(there.modules),
        schema_after=schema,
        up=up,
        down=None if back is None else Steps(back.operations, back.refusals, back.losses),
    )


def _title(words: Sequence[str]) -> str:
    first, *others = [text.partition(":")[0].partition(",")[0] for text in words]
    more = f" and {len(others)} more" if others else ""
    return f"{first[0].upper()}{first[1:]}{more}"


def file_name(revision: Revision, number: int) -> str:
    """The name of the revision's file; only its number matters to people, and nothing to the history."""
    name = re.sub(r"[^a-z0-9]+", "_", revision.title.lower()).strip("_")
    return f"{number:04}_{name[:_NAME_LENGTH].rstrip('_')}.py"
