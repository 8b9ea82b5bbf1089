"""Making revisions again: ours, on top of those that a commit has. Amending is that, with the commit that we work on."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from soulspot_db.language.history import SUMS, History, dump_sums, history_of, is_data, read_history, sums_of, text_of

from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.errors import Diagnostic
from soulspot_db_codegen.git import files_at, head_is_beyond
from soulspot_db_codegen.migrations.conflicts import conflicts_of_data
from soulspot_db_codegen.migrations.own import plain_name, sort_out, without_place
from soulspot_db_codegen.migrations.planner import MigrationPlan, Past, plan_migrations
from soulspot_db_codegen.migrations.snapshot import snapshot_of
from soulspot_db_codegen.migrations.unwritten import misplaced_revisions
from soulspot_db_codegen.resolver import Resolved

__all__ = ["Rebased", "is_settled", "own_revisions", "past_at", "plan_on", "rechained"]


@dataclass(frozen=True, slots=True)
class Rebased:
    """The plan, the files of ours that it replaces, and the data revisions that have another place now: old to new paths."""

    plan: MigrationPlan
    replaced: list[str]
    moved: Mapping[str, str]


def past_at(configuration: Configuration, commit: str | None) -> tuple[Past, list[str]]:
    """The revisions and the snapshot that a commit has, and what is wrong with them; none where there is no commit.

    Raises:
        ConfigurationError: git does not know the commit.
    """
    files = files_at(configuration.root, commit, configuration.migrations) if commit else {}
    versions = {path: text_of(content) for path, content in files.items() if path.startswith("versions/")}
    present = {path.partition("/")[2]: text for path, text in versions.items() if path.endswith(".py")}
    history, faults = history_of(text_of(files.get(SUMS, b"")), present)
    inside = {path.partition("/")[2]: text for path, text in files.items() if path.startswith("snapshot/")}
    return Past(history, snapshot_of(inside)), faults


def is_settled(configuration: Configuration, commit: str) -> bool:
    """Whether HEAD follows a commit and has its revisions in one line, so that making any of them again would be wrong.

    Raises:
        ConfigurationError: there is no git or no repository.
    """
    if not head_is_beyond(configuration.root, commit):
        return False
    past, faults = past_at(configuration, "HEAD")
    return not faults and not past.history.unrecorded


def own_revisions(configuration: Configuration, past: Past) -> dict[str, str]:
    """The revisions on the disk that are not among those of the past, by their files' names."""
    on_disk, _ = read_history(configuration.root / configuration.migrations)
    present = {**on_disk.files, **on_disk.unrecorded}
    return {name: text for name, text in present.items() if past.history.files.get(name) != text}


def plan_on(
    configuration: Configuration, resolved: Resolved, commit: str | None, *, edited: bool = False
) -> tuple[Rebased, list[Diagnostic]]:
    """Plan with what a commit has as the past; what is on the disk beside it is made again.

    Generated revisions of ours become one. Data revisions that came before it come before it again, those that came behind
    it behind it, unchanged but for their place in the line.

    Args:
        configuration: of the project.
        resolved: its entities.
        commit: whose revisions stay as they are.
        edited: whether the schemas have changed since the newest revision of ours.

    Returns:
        The plan and the problems; where there are problems the plan must not be used.

    Raises:
        ConfigurationError: git does not know the commit.
    """
    folder = configuration.migrations
    past, faults = past_at(configuration, commit)
    if faults:
        hint = "what was committed there is broken; mend it there first"
        return _NOTHING, [Diagnostic(folder, 1, 1, fault, hint) for fault in faults]
    ours = own_revisions(configuration, past)
    if problems := [*conflicts_of_data(folder, ours, commit)] or [*misplaced_revisions(folder, ours)]:
        return _NOTHING, problems
    own = sort_out(ours)
    if between := [*own.between, *(own.last if edited else ())]:
        message = f"the data revision {between[0]} stands between revisions that change tables, which cannot become one"
        return _NOTHING, [Diagnostic(f"{folder}/versions/{between[0]}", 1, 1, message, _APART)]
    before = _with_data(past.history, own.first, past.history.schema or "")
    plan, problems = plan_migrations(configuration, resolved, replace(past, history=before))
    if problems:
        return _NOTHING, problems
    inside = f"{folder}/versions/"
    versions = {path.removeprefix(inside): text for path, text in plan.files.items() if path.startswith(inside)}
    schema = plan.revision.schema_after if plan.revision else past.history.schema
    after = _with_data(replace(before, files=versions, head=plan.head), own.last, schema or "")
    files = {**plan.files, **{inside + name: text for name, text in after.files.items()}}
    files[f"{folder}/{SUMS}"] = dump_sums(sums_of(after.files))
    places = [name for name, text in after.files.items() if name not in past.history.files and is_data(text)]
    moves = zip([*own.first, *own.last], places, strict=True)
    moved = {inside + old: inside + new for old, new in moves if ours[old] != after.files[new]}
    replaced = [inside + name for name in ours if name not in after.files]
    return Rebased(MigrationPlan(after.head, files, plan.revision), replaced, moved), []


_NOTHING = Rebased(MigrationPlan(None, {}), [], {})
_APART = (
    "run `soulspot-db generate` without --amend, which adds a revision after it; after a merge, abort it, and put one "
    'commit after another on top of theirs (docs/migrations.md, "Data revisions between tables")'
)


def _with_data(history: History, data: Mapping[str, str], schema: str) -> History:
    """A history with data revisions behind it, which leave the tables as they are."""
    files, head = dict(history.files), history.head
    for name, text in data.items():
        head, files[f"{len(files) + 1:04}_{plain_name(name)}"] = rechained(text, head, schema)
    return replace(history, files=files, head=head)


def rechained(text: str, parent: str | None, schema: str) -> tuple[str, str]:
    """A data revision behind another parent: its id, and its text."""
    identity = hashlib.sha256(f"{parent}\n{without_place(text)}".encode()).hexdigest()[:12]
    values = {"revision": f'"{identity}"', "down_revision": f'"{parent}"' if parent else "None"}
    values["schema_after"] = f'"{schema}"'
    for name, value in values.items():
        text = re.sub(rf"^{name}\b[^=\n]*=.*$", f"{name} = {value}", text, flags=re.MULTILINE)
    return identity, text
