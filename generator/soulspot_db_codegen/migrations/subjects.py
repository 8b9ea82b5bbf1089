"""What was edited, as one would say it in the subject of a commit: the titles of revisions are made of it."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from soulspot_db.language.table import ForeignKeySpec, TableIndexSpec, TableSpec, index_part

from soulspot_db_codegen.migrations.column_checks import is_of_column, limit_of, values_of
from soulspot_db_codegen.migrations.columns import Source
from soulspot_db_codegen.migrations.snapshot import default_text, physical

__all__ = ["listed", "of_renames", "of_table", "title"]

_LENGTH = 60
_LINE = 100  # what is longer would be wrapped in the revision's docstring, and its first line is what people see
_LISTED = 3


def title(subjects: Sequence[str]) -> str:
    """A revision's title."""
    first, *others = subjects
    text = f"{first} and {others[0]}" if len(others) == 1 else first
    if others and (len(others) > 1 or len(text) > _LENGTH):
        text = f"{first} and {len(others)} more change{'s' if len(others) > 1 else ''}"
    return textwrap.shorten(text[0].upper() + text[1:], _LINE, placeholder=" ...")


def listed(names: Sequence[str]) -> str:
    """Names in a sentence; of many the first."""
    if len(names) > _LISTED:
        return f"{names[0]} and {len(names) - 1} more"
    return " and ".join([*filter(None, [", ".join(names[:-1])]), names[-1]])


def of_renames(former: Mapping[str, str], of: str = "") -> Iterator[str]:
    """Names that changed, new to old ones."""
    for new, old in former.items():
        if former.get(old) != new:
            yield f"rename {old}{of} to {new}"
        elif new < old:
            yield f"swap {new} and {old}{of}"


def of_table(
    entity: str,
    before: TableSpec,
    base: TableSpec,
    after: TableSpec,
    *,
    columns: Sequence[Source],
    dropped: Sequence[str],
) -> Iterator[str]:
    """What was edited in one entity but for renames.

    Args:
        entity: what it is called.
        before: its table as it was.
        base: the same with the columns' new names.
        after: the table as it is to be.
        columns: where each column comes from.
        dropped: the columns that are gone.
    """
    added = [source.column["name"] for source in columns if source.former is None]
    if added:
        yield f"add {listed(added)} to {entity}"
    if dropped:
        yield f"drop {listed(dropped)} of {entity}"
    for source in columns:
        if source.former is not None:
            yield from _of_column(f"{entity}.{source.column['name']}", before, after, source)
    if base["primary_key"] != after["primary_key"]:
        yield f"change the primary key of {entity}"
    elsewhere = {*added, *dropped}  # what comes and goes with a column is not told again
    yield from _compared("reference", entity, _references(base, elsewhere), _references(after, elsewhere))
    yield from _compared("check", entity, _checks(before, base), _checks(after, after))
    for kind, unique in (("unique index", True), ("index", False)):
        yield from _compared(
            kind, entity, _indexes(base, elsewhere, unique=unique), _indexes(after, elsewhere, unique=unique)
        )


def _of_column(name: str, before: TableSpec, after: TableSpec, source: Source) -> Iterator[str]:
    former, column = source.former or source.column, source.column
    was, is_now = physical(former), physical(column)
    old, new = values_of(before, former), values_of(after, column)
    if source.is_encrypted:
        yield f"encrypt {name}"
    elif was["type"]["name"] != is_now["type"]["name"] or (old is None) != (new is None):
        yield f"change {name} from {former['type']['name']} to {column['type']['name']}"
    elif was["type"] != is_now["type"]:
        yield f"change the digits of {name}"
    if was["nullable"] != is_now["nullable"]:
        yield f"make {name} {'optional' if is_now['nullable'] else 'required'}"
    if default_text(former) != default_text(column):
        yield f"{'drop' if is_now['default'] is None else 'set'} the default of {name}"
    if old is not None and new is not None and old != new:
        yield _of_values(name, old, new)
    longest, limit = limit_of(before, former), limit_of(after, column)
    if limit != longest and not source.is_encrypted:
        wider = limit is None or (longest is not None and limit > longest)
        yield f"{'widen' if wider else 'narrow'} {name}{'' if limit is None else f' to {limit}'}"


def _of_values(name: str, old: Sequence[str], new: Sequence[str]) -> str:
    added, gone = [text for text in new if text not in old], [text for text in old if text not in new]
    if added and not gone:
        return f"add {listed(added)} to {name}"
    return f"take {listed(gone)} out of {name}" if gone and not added else f"change the values of {name}"


def _compared(kind: str, entity: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield f"add {kind} {name} to {entity}"
        elif name not in new:
            yield f"drop {kind} {name} of {entity}"
        elif old[name] != new[name]:
            yield f"change {kind} {name} of {entity}"


def _references(table: TableSpec, elsewhere: set[str]) -> Mapping[str, Any]:
    def seen(key: ForeignKeySpec) -> tuple[str, str, str]:
        return key["table"], key["target"], key["on_delete"]

    return {key["column"]: seen(key) for key in table["foreign_keys"] if key["column"] not in elsewhere}


def _checks(named: TableSpec, table: TableSpec) -> Mapping[str, Any]:
    """The checks that the schema names; `named` is the table under the names that theirs are made of."""
    prefix = f"ck_{named['table']}_"
    return {
        check["name"].removeprefix(prefix): check["sql"]
        for check, of in zip(table["checks"], named["checks"], strict=True)
        if not is_of_column(named, of)
    }


def _indexes(table: TableSpec, elsewhere: set[str], *, unique: bool) -> Mapping[str, Any]:
    def label(index: TableIndexSpec) -> str:
        return ", ".join(index_part(part).replace('"', "") for part in index["columns"])

    return {
        label(index): index["where"]
        for index in table["indexes"]
        if index["unique"] == unique and not elsewhere & {part["column"] for part in index["columns"]}
    }
