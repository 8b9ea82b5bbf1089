"""Making revisions again: ours, on top of those that a commit has. Amending is that, with the commit that we work on."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from soulspot_db.language.history import SUMS, dump_sums, history_of, is_data, read_history, sums_of, text_of

from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.errors import Diagnostic
from soulspot_db_codegen.git import files_at, head_is_beyond
from soulspot_db_codegen.migrations.conflicts import conflicts_of_data
from soulspot_db_codegen.migrations.planner import MigrationPlan, Past, plan_migrations
from soulspot_db_codegen.migrations.snapshot import snapshot_of
from soulspot_db_codegen.resolver import Resolved

__all__ = ["Rebased", "is_settled", "own_revisions", "past_at", "plan_on", "rechained"]


@dataclass(frozen=True, slots=True)
class Rebased:
    """The plan, the files of ours that it replaces, and the data revisions that somebody should read again."""

    plan: MigrationPlan
    replaced: list[str]
    data: list[str]


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


def plan_on(configuration: Configuration, resolved: Resolved, commit: str | None) -> tuple[Rebased, list[Diagnostic]]:
    """Plan with what a commit has as the past; what is on the disk beside it is made again.

    Generated revisions of ours become one. Data revisions follow it, unchanged but for their place in the line.

    Returns:
        The plan and the problems; where there are problems the plan must not be used.

    Raises:
        ConfigurationError: git does not know the commit.
    """
    folder = configuration.migrations
    past, faults = past_at(configuration, commit)
    if faults:
        hint = "what was committed there is broken; mend it there first"
        return Rebased(MigrationPlan(None, {}), [], []), [Diagnostic(folder, 1, 1, fault, hint) for fault in faults]
    ours = own_revisions(configuration, past)
    if conflicts := list(conflicts_of_data(folder, ours, commit)):
        return Rebased(MigrationPlan(None, {}), [], []), conflicts
    if (between := _between(ours)) is not None:
        message = f"the data revision {between} stands between revisions that change tables, which cannot become one"
        hint = "commit them as they are; after a merge, make yours again by hand, one after the other"
        return Rebased(MigrationPlan(None, {}), [], []), [Diagnostic(folder, 1, 1, message, hint)]
    plan, problems = plan_migrations(configuration, resolved, past)
    data = {name: text for name, text in ours.items() if is_data(text)}
    if data and plan.revision is not None and plan.revision.up.losses:
        message = f"{next(iter(data))} would come to stand behind the loss of {plan.revision.up.losses[0].what}"
        hint = "what it reads may be gone there: run `soulspot-db generate` without --amend, which adds a revision after it"
        problems = [*problems, Diagnostic(folder, 1, 1, message, hint)]
    schema = plan.revision.schema_after if plan.revision else past.history.schema
    plan, moved = _with_data(folder, plan, data, schema or "")
    kept = {path.rpartition("/")[2] for path in plan.files if "/versions/" in path}
    return Rebased(plan, [f"{folder}/versions/{name}" for name in ours if name not in kept], moved), problems


def _between(ours: Mapping[str, str]) -> str | None:
    """A data revision that would come to stand behind tables that follow it now: what it reads may be gone there."""
    kinds = [(name, is_data(text)) for name, text in sorted(ours.items())]
    tables = [position for position, (_, data) in enumerate(kinds) if not data]
    return next(
        (name for position, (name, data) in enumerate(kinds) if data and tables and tables[0] < position < tables[-1]),
        None,
    )


def _with_data(
    folder: str, plan: MigrationPlan, data: Mapping[str, str], schema: str
) -> tuple[MigrationPlan, list[str]]:
    files = dict(plan.files)
    versions = {path: text for path, text in files.items() if path.startswith(f"{folder}/versions/")}
    head, moved = plan.head, []
    for name, text in data.items():
        path = f"{folder}/versions/{len(versions) + 1:04}_{name.partition('_')[2]}"
        head, versions[path] = rechained(text, head, schema)
        moved.append(path)
    files |= versions
    files[f"{folder}/{SUMS}"] = dump_sums(sums_of({path.rpartition("/")[2]: text for path, text in versions.items()}))
    return MigrationPlan(head, files, plan.revision), moved


def rechained(text: str, parent: str | None, schema: str) -> tuple[str, str]:
    """A data revision behind another parent: its id, and its text."""
    said = re.sub(r"^(revision|down_revision|schema_after) = .*$", "", text, flags=re.MULTILINE)
    identity = hashlib.sha256(f"{parent}\n{said}".encode()).hexdigest()[:12]
    values = {"revision": f'"{identity}"', "down_revision": f'"{parent}"' if parent else "None"}
    values["schema_after"] = f'"{schema}"'
    for name, value in values.items():
        text = re.sub(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
    return identity, text
