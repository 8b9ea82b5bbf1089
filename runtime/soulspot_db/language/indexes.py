"""The indexes of an entity: plain, over expressions, partial; their names, and which of them find at most one row."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from soulspot_db.language.document import EntityDocument, IndexDocument
from soulspot_db.language.field import FieldSpec, Problem
from soulspot_db.language.filters import parse_constraint
from soulspot_db.language.mistakes import mistakes
from soulspot_db.language.names import MAX_NAME
from soulspot_db.language.nearest import nearest
from soulspot_db.language.predicates import Compare, Predicate, all_of
from soulspot_db.language.scope import HasFields

__all__ = ["IndexPart", "IndexSpec", "constraint_name", "resolve_indexes"]

_PART = re.compile(r"(?:(?P<function>[a-z]+)\((?P<inner>[^()]*)\)|(?P<field>[^() ]*))(?: (?P<direction>\S*))?")
# Both databases fold ASCII with these, because text compares by code point on both.
_FUNCTIONS = ("lower", "upper")


@dataclass(frozen=True, slots=True)
class IndexPart:
    """One part of an index: a field, perhaps through a function, perhaps downwards."""

    field: str
    function: str | None = None
    descending: bool = False


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """An index; a partial one holds the rows for which `where` does, which is `of_all` where those are all that are not deleted."""

    name: str
    parts: tuple[IndexPart, ...]
    unique: bool
    where: Predicate | None = None
    of_all: bool = True

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields, in order."""
        return tuple(part.field for part in self.parts)

    @property
    def finds_one(self) -> bool:
        """Whether values for its fields find at most one row."""
        return self.unique and self.of_all and not any(part.function for part in self.parts)


def resolve_indexes(document: EntityDocument, entity: HasFields, problems: list[Problem]) -> tuple[IndexSpec, ...]:
    """Decide everything about the indexes of an entity; what is wrong goes to `problems`.

    Where deleted rows stay, their unique values are free again: what is unique there is so among the others.
    """
    table = document.table_name
    stays = None if document.soft_delete is None else Compare(document.soft_delete, "is_null")
    found = [
        IndexSpec(constraint_name("ix", table, name), (IndexPart(name),), unique=False)
        for name, field in document.fields.items()
        if field.index and not field.unique
    ]
    unique = {
        name: constraint_name("uq", table, field.column or name)
        for name, field in document.fields.items()
        if field.unique
    }
    found += [
        IndexSpec(
            constraint_name("uq", table, field.column),
            tuple(map(IndexPart, field.exclusive or (field.name,))),
            unique=True,
            where=all_of(Compare(field.name, "eq", (True,)), stays),
            of_all=False,
        )
        for field in entity.fields.values()
        if field.exclusive is not None
    ]
    taken = {*unique.values(), *(index.name for index in found)}
    if stays is not None:
        found += [
            IndexSpec(index, (IndexPart(name),), unique=True, where=stays)
            for name, index in unique.items()
            if not document.fields[name].primary_key
        ]
    for number, index in enumerate(document.indexes):
        at = ("indexes", number)
        before = len(problems)
        parts = tuple(_parts(index, (*at, "fields"), entity.fields, problems))
        if len(problems) > before:  # its name would be made of what is wrong
            continue
        labels = [f"{part.function}_{part.field}" if part.function else part.field for part in parts]
        name = index.name or constraint_name("uq" if index.unique else "ix", table, *labels)
        if len(set(labels)) < len(labels):
            problems.append(Problem((*at, "fields"), "a field is named twice"))
        if name in taken:
            problems.append(Problem(at, f"the index {name!r} is declared twice", "give one of the two a 'name'"))
        taken.add(name)
        where = _where(index, at, entity, problems)
        held = all_of(where, stays) if index.unique else where
        found.append(IndexSpec(name, parts, index.unique, held, of_all=where is None))
    return tuple(found)


def _parts(
    index: IndexDocument, at: tuple[str | int, ...], fields: Mapping[str, FieldSpec], problems: list[Problem]
) -> Iterator[IndexPart]:
    for position, text in enumerate(index.fields):
        match = _PART.fullmatch(text)
        if match is None:
            message = f"{text!r} is neither a field nor a function of one"
            problems.append(Problem((*at, position), message, "write 'field', 'field desc' or 'lower(field)'"))
            continue
        name, function, direction = match["field"] or match["inner"] or "", match["function"], match["direction"]
        if function is not None and function not in _FUNCTIONS:
            hint = nearest(function, _FUNCTIONS) or f"the functions are {', '.join(_FUNCTIONS)}"
            problems.append(Problem((*at, position), f"unknown function {function!r}", hint))
        elif name not in fields:
            problems.append(Problem((*at, position), f"unknown field {name!r}", nearest(name, fields)))
        elif fields[name].encrypted:
            problems.append(Problem((*at, position), f"field {name!r} is encrypted, and cannot be in an index"))
        elif function is not None and fields[name].type not in {"string", "text", "enum"}:
            problems.append(Problem((*at, position), f"{function}() is for text, not for {fields[name].type}"))
        if (direction or "").lower() not in {"", "asc", "desc"}:
            message = f"unknown direction {direction!r}"
            problems.append(Problem((*at, position), message, "write 'field', or 'field desc'"))
        yield IndexPart(name, function, descending=(direction or "").lower() == "desc")


def _where(
    index: IndexDocument, at: tuple[str | int, ...], entity: HasFields, problems: list[Problem]
) -> Predicate | None:
    wrong = list(mistakes(index.where, entity, parse_constraint))
    problems += [Problem((*at, "where", *place), str(mistake)) for place, mistake in wrong]
    if wrong:
        return None
    predicate = parse_constraint(index.where, entity)
    if predicate is None and index.where is not None:
        problems.append(Problem((*at, "where"), "the filter has no condition and holds for every row", "leave it out"))
    return predicate


def constraint_name(prefix: str, table: str, *parts: str) -> str:
    """The name of an index or a constraint; one that is too long ends in a hash, so that no two are cut to the same."""
    name = "_".join((prefix, table, *parts))
    if len(name) <= MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: MAX_NAME - 9]}_{digest}"
