"""Where a live database is other than it should be, in words, each with what to do."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.rebuild import PREFIX
from soulspot_db.migrations.structure import SERIAL, Column, Structure, TableStructure

__all__ = ["compare_structures"]

_BY_HAND = "undo what was changed by hand; if it is wanted, change the schema then, and run `soulspot-db generate`"
_WORDS = {"key": "place in the primary key", "where": "condition", "unique": "UNIQUE", "on_delete": "ON DELETE"}


def compare_structures(
    expected: Structure, found: Structure, unfinished: Collection[str] = (), *, on_server: bool = False
) -> list[str]:
    """The differences, one line each.

    Tables that nobody expects are left alone, because other programs may keep theirs in the file.

    Args:
        expected: the tables as they should be.
        found: as they are.
        unfinished: names of indexes and constraints that the next run makes or looks at.
        on_server: whether it is PostgreSQL, where a table can be altered by hand.
    """
    lines = [f"{name} is not finished yet: run `soulspot-db migrate`" for name in unfinished]
    for name, table in expected.items():
        if name in found:
            lines += _compare(name, _without(table, unfinished), _without(found[name], unfinished), on_server)
        else:
            lines.append(f"table {name} is missing: restore a backup that has it")
    return lines + [
        f"table {name} is not ours: look at what is in it, then DROP TABLE {quoted(name)}"
        for name in found
        if name.startswith(PREFIX)
    ]


def _without(table: TableStructure, names: Collection[str]) -> TableStructure:
    return replace(
        table,
        checks={name: check for name, check in table.checks.items() if name not in names},
        foreign_keys={at: key for at, key in table.foreign_keys.items() if key.name not in names},
        indexes={name: index for name, index in table.indexes.items() if name not in names},
    )


def _compare(name: str, expected: TableStructure, found: TableStructure, on_server: bool) -> Iterator[str]:
    if expected.strict and not found.strict:
        yield f"table {name} is not STRICT, so wrong types can be stored in it: {_BY_HAND}"
    for column, missing, line in _sides("column", name, expected.columns, found.columns):
        required = not missing and not found.columns[column].nullable and found.columns[column].default is None
        harm = "; it must not be null, so that nothing can be inserted" if required else ""
        yield f"{line}{harm}: {_BY_HAND}"
    for check, missing, line in _sides("check", name, expected.checks, found.checks):
        add = f"ALTER TABLE {quoted(name)} ADD CONSTRAINT {quoted(check)} {expected.checks.get(check)}"
        yield f"{line}: {add if missing and on_server else _BY_HAND}"
    for _key, _missing, line in _sides("foreign key", name, expected.foreign_keys, found.foreign_keys):
        yield f"{line}: {_BY_HAND}"
    for index, missing, line in _sides("index", name, expected.indexes, found.indexes):
        yield f"{line}: {_create(name, index, expected) if missing else f'DROP INDEX {quoted(index)}; if it is wanted, declare it in the schema then'}"
    for column, line in _changes("column", name, expected.columns, found.columns):
        alter = _alter(expected.columns[column], found.columns[column]) if on_server else []
        sql = f"ALTER TABLE {quoted(name)} {', '.join(f'ALTER {quoted(column)} {part}' for part in alter)}"
        yield f"{line}: {sql if alter else _BY_HAND}"
    for kind, wanted, there in (
        ("check", expected.checks, found.checks),
        ("foreign key", expected.foreign_keys, found.foreign_keys),
    ):
        yield from (f"{line}: {_BY_HAND}" for _part, line in _changes(kind, name, wanted, there))
    for index, line in _changes("index", name, expected.indexes, found.indexes):
        yield f"{line}: DROP INDEX {quoted(index)}, then {_create(name, index, expected)}"


def _sides(
    kind: str, table: str, expected: Mapping[str, Any], found: Mapping[str, Any]
) -> Iterator[tuple[str, bool, str]]:
    for name in expected:
        if name not in found:
            yield name, True, f"{kind} {name} of {table} is missing"
    for name in found:
        if name not in expected:
            yield name, False, f"{kind} {name} of {table} is in no schema"


def _changes(kind: str, table: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, wanted in expected.items():
        there = found.get(name, wanted)
        if there == wanted:
            continue
        if isinstance(wanted, str):
            yield name, f"{kind} {name} of {table} is {there} and should be {wanted}"
            continue
        for part in fields(wanted):
            should, does = getattr(wanted, part.name), getattr(there, part.name)
            if part.compare and should != does:
                word = _WORDS.get(part.name, part.name)
                yield name, f"{kind} {name} of {table}: {word} is {_said(does)} and should be {_said(should)}"


def _alter(wanted: Column, there: Column) -> list[str]:
    """What brings a column of a PostgreSQL table back; nothing where that takes more than this."""
    if replace(there, type=wanted.type, nullable=wanted.nullable, default=wanted.default) != wanted:
        return []
    if SERIAL in {wanted.default, there.default}:
        return []
    parts = [f"TYPE {wanted.type}"] if there.type != wanted.type else []
    if there.default != wanted.default:
        parts.append("DROP DEFAULT" if wanted.default is None else f"SET DEFAULT {wanted.default}")
    if there.nullable != wanted.nullable:
        parts.append("DROP NOT NULL" if wanted.nullable else "SET NOT NULL")
    return parts


def _said(value: Any) -> str:
    match value:
        case None | "":
            return "none"
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(value)
    return str(value)


def _create(table: str, name: str, expected: TableStructure) -> str:
    index = expected.indexes[name]
    where = f" WHERE {index.where}" if index.where else ""
    return f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {quoted(name)} ON {quoted(table)} ({index.parts}){where}"
