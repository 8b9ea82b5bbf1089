"""What changed between two snapshots, and the operations that bring a database from one to the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from soulspot_db.language.conditions import quoted
from soulspot_db.language.table import TableSpec

from soulspot_db_codegen.migrations.columns import Source, sources
from soulspot_db_codegen.migrations.hints import Hints, TableHints
from soulspot_db_codegen.migrations.operations import (
    Archive,
    CreateTable,
    DropIndex,
    DropTable,
    Loss,
    Operation,
    Refusal,
    RenameTable,
)
from soulspot_db_codegen.migrations.pairing import Pairing, Problem, pair
from soulspot_db_codegen.migrations.renames import Names, rename_in_order, renamed
from soulspot_db_codegen.migrations.snapshot import Snapshot
from soulspot_db_codegen.migrations.subjects import listed, of_renames
from soulspot_db_codegen.migrations.tables import TableChange, TableDiff, diff_table

__all__ = ["Difference", "Problem", "diff", "way_back"]


@dataclass(slots=True)
class Difference:
    """The way from one snapshot to another.

    `subjects` says what was edited, `one_way` why nobody can go it back; where it says nothing, coming back leaves
    everything as it was.
    """

    operations: list[Operation] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)
    subjects: list[str] = field(default_factory=list)
    one_way: list[str] = field(default_factory=list)


def diff(before: Snapshot, after: Snapshot, hints: Hints) -> Difference:
    """Compare two snapshots.

    What must not be there, and what is lost, is said in terms of `before`, because it is looked at first. Then come, in this
    order: what is archived and dropped, new names of tables and columns, indexes that are gone (their names are free for
    other tables then), new tables, and everything else.
    """
    pairing, problems = pair(before, after, hints)
    found = Difference(problems=problems)
    gone = {path: before[path] for path in sorted(before.keys() - pairing.former.values())}
    created = [after[path] for path in sorted(after.keys() - pairing.former.keys())]
    diffs = _diffs(before, after, hints, pairing)
    misnamed = {problem.path for problem in problems}
    for path, item in diffs.items():
        # Where a rename is wrong, what it meant is not gone as well.
        clear = [entry for entry in item.unclear if entry.column or path not in misnamed]
        found.problems += [Problem(path, entry.column, entry.message, entry.hint) for entry in clear]
        found.refusals += item.refusals
        found.losses += item.losses
        found.one_way += item.one_way
    for path, table in gone.items():
        _drop(table, hints.removed[path].data == "archive" if path in hints.removed else False, found)
    archives = [archive for item in diffs.values() for archive in item.archives]
    moves = {before[old]["table"]: after[new]["table"] for new, old in pairing.former.items()}
    taken = [table["table"] for path, table in before.items() if path not in gone]
    changes = [operation for item in diffs.values() for operation in item.operations]
    changed_names = {old: new for old, new in moves.items() if old != new}
    found.operations = [
        *archives,
        *found.operations,
        *(RenameTable(*move) for move in rename_in_order(changed_names, taken)),
        *(rename for item in diffs.values() for rename in item.renames),
        *(operation for operation in changes if isinstance(operation, DropIndex)),
        *map(CreateTable, _in_order_of_references(created)),
        *(operation for operation in changes if not isinstance(operation, DropIndex)),
    ]
    if gone:
        found.one_way.append(f"it dropped {listed([table['table'] for table in gone.values()])}")
    if created:
        found.one_way.append(f"the rows of {listed([table['table'] for table in created])} would be lost")
    found.subjects = [*_subjects(before, after, pairing), *(text for item in diffs.values() for text in item.subjects)]
    touched = {path for path, item in diffs.items() if item.renames or item.operations}
    touched |= {new for new, old in pairing.former.items() if before[old]["table"] != after[new]["table"]}
    found.modules = {path.partition("/")[0] for path in {*touched, *gone, *(after.keys() - pairing.former.keys())}}
    return found


def _diffs(before: Snapshot, after: Snapshot, hints: Hints, pairing: Pairing) -> dict[str, TableDiff]:
    tables = {before[old]["table"]: after[new]["table"] for new, old in pairing.former.items()}
    columns = {
        before[old]["table"]: {was: name for name, was in pairing.columns[new].items()}
        for new, old in pairing.former.items()
    }
    names = Names(tables, columns)
    targets = {
        after[new]["table"]: (
            before[old],
            [
                source
                for source in sources(before[old], after[new], pairing.columns[new], hints.of(new))
                if isinstance(source, Source)
            ],
        )
        for new, old in pairing.former.items()
    }
    return {
        new: diff_table(
            TableChange(
                entity=_name(new),
                before=before[old],
                base=renamed(before[old], names),
                after=after[new],
                former=pairing.columns[new],
                hints=hints.of(new),
            ),
            targets,
        )
        for new, old in sorted(pairing.former.items())
    }


def _name(path: str) -> str:
    return path.partition("/")[2]


def _subjects(before: Snapshot, after: Snapshot, pairing: Pairing) -> Iterator[str]:
    """What was edited of entities as a whole."""
    if created := sorted(after.keys() - pairing.former.keys()):
        yield f"create {listed([*map(_name, created)])}"
    if gone := sorted(before.keys() - pairing.former.values()):
        yield f"drop {listed([*map(_name, gone)])}"
    moved = {new: old for new, old in pairing.former.items() if before[old]["table"] != after[new]["table"]}
    yield from of_renames({_name(new): _name(old) for new, old in moved.items() if _name(new) != _name(old)})
    tables = {after[new]["table"]: before[old]["table"] for new, old in moved.items() if _name(new) == _name(old)}
    yield from (f"rename table {old} to {new}" for new, old in tables.items())


def _drop(table: TableSpec, archive: bool, found: Difference) -> None:
    name = table["table"]
    everything = f"SELECT * FROM {quoted(name)}"
    if archive:
        found.operations.append(Archive(f"archived_{name}", everything, f"the rows of {name}"))
    else:
        keys = ", ".join(map(quoted, table["primary_key"]))
        found.losses.append(Loss(f"the rows of {name}", f"SELECT {keys} FROM {quoted(name)}"))
    found.operations.append(DropTable(name))


def way_back(before: Snapshot, after: Snapshot, hints: Hints) -> Difference | None:
    """The way from `after` to `before`, where it brings everything back."""
    pairing, _ = pair(before, after, hints)
    if diff(before, after, hints).one_way:
        return None
    backwards = Hints(
        {
            old: TableHints(
                former_entity=_name(new) if new != old else None,
                former={was: name for name, was in pairing.columns[new].items()},
            )
            for new, old in pairing.former.items()
        }
    )
    return diff(after, before, backwards)


def _in_order_of_references(tables: Sequence[TableSpec]) -> Iterator[TableSpec]:
    """Each after those it refers to."""
    waiting: dict[str, TableSpec] = {table["table"]: table for table in tables}
    while waiting:
        free = [table for table in waiting.values() if not _references(table) & waiting.keys()]
        # In a circle of references one has to come first; SQLite does not mind.
        for table in free or [next(iter(waiting.values()))]:
            yield waiting.pop(table["table"])


def _references(table: TableSpec) -> set[str]:
    return {key["table"] for key in table["foreign_keys"]} - {table["table"]}
