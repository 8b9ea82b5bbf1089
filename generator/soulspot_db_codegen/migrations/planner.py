"""From the schemas and the revisions so far to the files that migrations should consist of now."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from soulspot_db.language.table import TableSpec

from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.errors import Diagnostic
from soulspot_db_codegen.migrations.differ import added_tables, unsupported_changes
from soulspot_db_codegen.migrations.history import SUMS, History, dump_sums, read_history, sums_of
from soulspot_db_codegen.migrations.snapshot import Snapshot, digest, dump_table, read_snapshot, take_snapshot
from soulspot_db_codegen.render import render
from soulspot_db_codegen.resolver import Resolved

__all__ = ["MigrationPlan", "Revision", "plan_migrations"]

_ID_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Revision:
    """What a revision file says. `id` is a hash of its parent and its operations."""

    id: str
    parent: str | None
    title: str
    modules: list[str]
    schema_after: str
    created: list[TableSpec]

    @property
    def operations(self) -> list[str]:
        """What it does to a database, in words."""
        return [f"create table {table['table']}, {_size(table)}" for table in self.created]


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """Every file of the migrations folder that changes with the schemas, and the newest revision.

    `revision` is the one that the plan adds, if it adds one.
    """

    head: str | None
    files: Mapping[str, str]
    revision: Revision | None = None


def plan_migrations(configuration: Configuration, resolved: Resolved) -> tuple[MigrationPlan, list[Diagnostic]]:
    """Decide whether a revision is needed, and which.

    Returns:
        The plan and the problems; where there are problems the plan must not be used.
    """
    folder = configuration.migrations
    wanted = take_snapshot(resolved)
    history, faults = read_history(configuration.root / folder)
    if faults:
        return MigrationPlan(None, {}), _faulty(folder, faults)
    if history.schema == digest(wanted):
        return _plan(folder, wanted, history.files, history.head), _faulty(folder, _strangers(history, history.files))
    recorded = read_snapshot(configuration.root / folder / "snapshot")
    if history.schema is not None and history.schema != digest(recorded):
        message = f"{folder}/snapshot is not what revision {history.head} left"
        hint = "restore the folder from version control, then change the schemas again"
        return MigrationPlan(None, {}), [Diagnostic(f"{folder}/snapshot", 1, 1, message, hint)]
    if history.schema is None:
        recorded = {}
    problems = list(_unsupported(recorded, wanted, resolved, folder))
    if problems:
        return MigrationPlan(None, {}), problems
    revision = _revision(recorded, wanted, history)
    files = {**history.files, _file_name(revision, len(history.files) + 1): render("revision.py", revision=revision)}
    return _plan(folder, wanted, files, revision.id, revision), _faulty(folder, _strangers(history, files))


def _strangers(history: History, files: Mapping[str, str]) -> list[str]:
    """Revisions that nobody recorded; one that would be written now is what a run that was killed has left."""
    return [f"versions/{name} is not in {SUMS}" for name, text in history.unrecorded.items() if files.get(name) != text]


def _faulty(folder: str, faults: list[str]) -> list[Diagnostic]:
    hint = "restore the file from version control; revisions may have been applied and are never rewritten"
    return [Diagnostic(folder, 1, 1, fault, hint) for fault in faults]


def _plan(
    folder: str,
    snapshot: Snapshot,
    revisions: Mapping[str, str],
    head: str | None,
    revision: Revision | None = None,
) -> MigrationPlan:
    files = {f"{folder}/versions/{name}": text for name, text in revisions.items()}
    files |= {f"{folder}/snapshot/{path}.json": dump_table(table) for path, table in snapshot.items()}
    files[f"{folder}/{SUMS}"] = dump_sums(sums_of(revisions))
    return MigrationPlan(head, files, revision)


def _revision(before: Snapshot, after: Snapshot, history: History) -> Revision:
    created = added_tables(before, after)
    operations = json.dumps([["create_table", table] for table in created], sort_keys=True, separators=(",", ":"))
    identity = hashlib.sha256(f"{history.head}\n{operations}".encode()).hexdigest()[:_ID_LENGTH]
    return Revision(
        id=identity,
        parent=history.head,
        title=_title([table["table"] for table in created]),
        modules=sorted({path.partition("/")[0] for path in after.keys() - before.keys()}),
        schema_after=digest(after),
        created=created,
    )


def _size(table: TableSpec) -> str:
    columns, indexes = len(table["columns"]), len(table["indexes"])
    return f"{columns} column{'s' if columns > 1 else ''}, {indexes} index{'es' if indexes != 1 else ''}"


def _title(tables: list[str]) -> str:
    first, *others = tables
    more = f" and {len(others)} more table{'s' if len(others) > 1 else ''}" if others else ""
    return f"Create {first}{more}"


def _file_name(revision: Revision, number: int) -> str:
    first, *others = revision.created
    return f"{number:04}_create_{first['table']}{f'_and_{len(others)}_more' if others else ''}.py"


def _unsupported(before: Snapshot, after: Snapshot, resolved: Resolved, folder: str) -> list[Diagnostic]:
    sources = {f"{entity.module}/{entity.spec.entity_type}": entity.source for entity in resolved.entities}
    hint = (
        f"until it is: undo the change, or, where no database holds data yet, delete {folder}/versions, "
        f"{folder}/snapshot and {folder}/{SUMS} and generate them anew"
    )
    return [
        sources[path].problem((), message, hint)
        if path in sources
        else Diagnostic(f"{folder}/snapshot/{path}.json", 1, 1, message, hint)
        for path, message in unsupported_changes(before, after)
    ]
