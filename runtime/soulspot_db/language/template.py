"""Predicates with parameters: what they ask for, and what becomes of them once the parameters have values."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from soulspot_db.language.field import FieldSpec
from soulspot_db.language.filters import parse_condition
from soulspot_db.language.predicates import Compare, Group, Param, Predicate, Related
from soulspot_db.language.scope import HasFields

__all__ = ["bound", "certain", "params_of"]


def params_of(predicate: Predicate | None, entity: HasFields) -> Iterator[tuple[Param, Compare, FieldSpec]]:
    """Every parameter of a predicate about `entity`, with the comparison that it is part of and the field that is compared."""
    match predicate:
        case Compare():
            field = entity.fields[predicate.field]
            yield from ((value, predicate, field) for value in predicate.values if isinstance(value, Param))
        case Group():
            for part in predicate.parts:
                yield from params_of(part, entity)
        case Related():
            yield from params_of(predicate.where, predicate.target)


def bound(predicate: Predicate, given: Mapping[str, Any], entity: HasFields) -> Predicate | None:
    """The predicate with values in place of its parameters; None where nothing of it is left.

    A condition whose optional parameter is not among `given` is left out, and so is what consists of such conditions alone.

    Raises:
        FilterError: a value does not go with its field.
    """
    if isinstance(predicate, Compare):
        param = next((value for value in predicate.values if isinstance(value, Param)), None)
        if param is None:
            return predicate
        if param.optional and param.name not in given:
            return None
        field = entity.fields[predicate.field]
        return parse_condition(field, predicate.operator, given[param.name], entity, param.virtual)
    if isinstance(predicate, Related):
        if predicate.where is None:
            return predicate
        where = bound(predicate.where, given, predicate.target)
        return None if where is None else replace(predicate, where=where)
    parts = tuple(part for each in predicate.parts if (part := bound(each, given, entity)) is not None)
    return Group(predicate.operator, parts) if parts or not predicate.parts else None


def certain(predicate: Predicate) -> Predicate | None:
    """What is left of a predicate where no optional parameter is given; the others stay."""
    if isinstance(predicate, Compare):
        return None if any(isinstance(value, Param) and value.optional for value in predicate.values) else predicate
    if isinstance(predicate, Related):
        if predicate.where is None:
            return predicate
        where = certain(predicate.where)
        return None if where is None else replace(predicate, where=where)
    parts = tuple(part for each in predicate.parts if (part := certain(each)) is not None)
    return Group(predicate.operator, parts) if parts or not predicate.parts else None
