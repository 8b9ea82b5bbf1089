"""Flags that at most one row has: which fields they are, and the unique index that keeps everybody to it."""

from collections.abc import Iterator, Mapping

from soulspot_db.language.field import FieldSpec, Problem
from soulspot_db.language.nearest import nearest

__all__ = ["check_exclusive", "flags_of_group"]

_NO_GROUP = frozenset({"bytes", "float", "json", "list"})


def check_exclusive(fields: Mapping[str, FieldSpec], key: tuple[str, ...], problems: list[Problem]) -> None:
    """Make sure that exclusive flags can be kept so; what is wrong goes to `problems`.

    Args:
        fields: the stored fields by name.
        key: the names of those of the primary key.
        problems: takes what is wrong.
    """
    for field in fields.values():
        if field.exclusive is not None:
            at = ("fields", field.name, "exclusive")
            problems += [Problem(at, message, hint) for message, hint in _wrong_flag(field, key)]
            problems += [
                Problem((*at, position), message, hint)
                for position, name in enumerate(field.exclusive)
                if (found := _wrong_group(name, field, fields, key)) is not None
                for message, hint in [found]
            ]


def flags_of_group(name: str, fields: Mapping[str, FieldSpec]) -> Iterator[str]:
    """The flags that one row has of all with the same value of this field: who gets one must know that value beforehand."""
    return (field.name for field in fields.values() if name in (field.exclusive or ()))


def _wrong_flag(field: FieldSpec, key: tuple[str, ...]) -> Iterator[tuple[str, str | None]]:
    if field.type != "boolean" or field.nullable or field.unique or field.name in key:
        yield "'exclusive' is for a boolean that is neither nullable nor unique nor part of the key", None
    if field.default is True:
        yield "every new row would take the flag from the one that has it", "write 'default: false'"
    if len(set(field.exclusive or ())) < len(field.exclusive or ()):
        yield "a field is named twice", None


def _wrong_group(
    name: str, flag: FieldSpec, fields: Mapping[str, FieldSpec], key: tuple[str, ...]
) -> tuple[str, str | None] | None:
    field = fields.get(name)
    if field is None:
        return f"unknown field {name!r}", nearest(name, fields)
    if name == flag.name or key == (name,):
        return (
            f"field {name!r} cannot say who is exclusive",
            "name what the rows have in common, or write 'exclusive: true'",
        )
    if field.nullable:
        return f"field {name!r} is nullable, and null has nothing in common with null", None
    if field.type in _NO_GROUP:
        return f"field {name!r} is of type {field.type!r}, of which equal values may have several spellings", None
    return None
