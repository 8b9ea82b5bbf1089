"""Where the database is among the revisions, and whether it is as they left it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from soulspot_db.copies.files import left_unfinished, real_file
from soulspot_db.copies.names import backup_names, migration_names
from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, must, note, ok
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.differences import compare_structures
from soulspot_db.migrations.rebuild import PREFIX
from soulspot_db.migrations.revisions import ahead, compare, open_revisions
from soulspot_db.migrations.status import unfinished
from soulspot_db.migrations.structure import Structure
from soulspot_db.migrations.transactions import read_version
from soulspot_db.migrations.version import PROGRESS_TABLE

__all__ = ["leftovers", "revision", "structure"]

_UNKNOWN = (
    "no migrations were found, so nobody can say what the tables should be",
    "Call it in the project, or name --migrations.",
)


def revision(case: Case) -> Iterator[Finding]:
    """Whether it is at the revision that the code needs."""
    if case.migrations is None:
        yield note(*_UNKNOWN)
        return
    state = compare(open_revisions(case.migrations), read_version(case.connection))
    if state.ahead:
        raise ahead(state)
    if state.pending:
        yield must(
            f"the database is at revision {state.current or 'none'}, {len(state.pending)} behind {state.head}",
            "Look at what will be done: soulspot-db migrate --status",
            "soulspot-db migrate",
        )
    else:
        yield ok(f"{state.current or 'none'}, the newest")


def structure(case: Case) -> Iterator[Finding]:
    """Whether the tables are as the newest revision leaves them; whether they are STRICT is a check of its own."""
    if case.migrations is None:
        yield note(*_UNKNOWN)
        return
    if compare(open_revisions(case.migrations), read_version(case.connection)).pending:
        yield note("not looked at: the database is not at the newest revision", "soulspot-db migrate")
        return
    more = [f"{name} of {table}" for table in case.found for name in _by_hand(case, table)]
    if case.settings.database_type == "postgresql":
        lines = _missing(case.expected, case.found)
    else:
        known = {
            name: replace(
                table,
                strict=True,
                indexes={at: index for at, index in table.indexes.items() if at not in _by_hand(case, name)},
            )
            for name, table in case.found.items()
        }
        lines = compare_structures(case.expected, known)
    for line in lines:
        what, _, step = line.partition(": ")
        yield must(what, step or "`soulspot-db check --database` says more.")
    if more:
        yield note(
            f"indexes that are in no schema: {', '.join(more)}", "If they are wanted, declare them in the schema."
        )
    if not lines and not more:
        yield ok(f"{len(case.expected)} tables are as the schemas say")


def _by_hand(case: Case, table: str) -> set[str]:
    expected = case.expected.get(table)
    return set() if expected is None else set(case.found[table].indexes) - set(expected.indexes)


def _missing(expected: Structure, found: Structure) -> list[str]:
    """What is missing on a server, whose spelling of types and conditions is another."""
    tables = [f"table {name} is missing: restore a backup that has it" for name in expected if name not in found]
    return tables + [
        f"column {column} of {name} is missing: run `soulspot-db check --database`, which says what it should be"
        for name, table in expected.items()
        if name in found
        for column in table.columns
        if column not in found[name].columns
    ]


def leftovers(case: Case) -> Iterator[Finding]:
    """What a migration or a backup that was stopped has left."""
    found = [
        must(
            f"table {name} was left by a migration, which nothing of ours leaves",
            f"Look at what is in it, then DROP TABLE {quoted(name)}",
        )
        for name in case.tables
        if name.startswith(PREFIX)
    ]
    if PROGRESS_TABLE in case.tables:
        found.append(
            must(
                "a migration that changes rows has not come to its end",
                "If none runs at this moment: soulspot-db migrate, which goes on from there",
            )
        )
    if names := unfinished(case.connection):
        found.append(note(f"not finished yet: {', '.join(names)}", "soulspot-db migrate"))
    if files := _unfinished_copies(case):
        found.append(
            note(
                f"left by backups that were killed: {', '.join(map(str, files))}",
                f"Remove them: rm {' '.join(map(str, files))}",
            )
        )
    yield from found or [ok("nothing was left behind")]


def _unfinished_copies(case: Case) -> list[Path]:
    """What backups that were killed have left in their folder, and a migration's beside the database."""
    folder, path = case.settings.backup_path, case.settings.database_path.absolute()
    found = left_unfinished(folder, backup_names(case.settings)) if folder is not None and folder.is_dir() else []
    if case.settings.database_type == "sqlite":
        found += left_unfinished(path.parent, migration_names(path))
        file = real_file(path)  # where `restore` works
        restored = rf"{re.escape(file.name)}|{re.escape(file.stem)}\.before-restore\..*"
        found += left_unfinished(file.parent, restored)
    return found
