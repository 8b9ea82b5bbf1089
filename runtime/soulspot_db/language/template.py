"""Predicates with parameters: what they ask for, and what becomes of them once the parameters have values."""

from collections.abc import Iterator, Mapping
from typing import Any

from soulspot_db.language.filters import HasFields, parse_condition
from soulspot_db.language.predicates import Compare, Group, Param, Predicate, compares

__all__ = ["bound", "params_of"]


def params_of(predicate: Predicate | None) -> Iterator[tuple[Param, Compare]]:
    """Every parameter of a predicate, with the comparison that it is part of."""
    for compare in compares(predicate):
        yield from ((value, compare) for value in compare.values if isinstance(value, Param))


def bound(predicate: Predicate, given: Mapping[str, Any], entity: HasFields) -> Predicate | None:
    """The predicate with values in place of its parameters; None where nothing of it is left.

    A condition whose optional parameter is not among `given` is left out, and so is a group of such conditions alone.

    Raises:
        FilterError: a value does not go with its field.
    """
    if isinstance(predicate, Compare):
        param = next((value for value in predicate.values if isinstance(value, Param)), None)
        if param is None:
            return predicate
        if param.optional and param.name not in given:
            return None
        return parse_condition(entity.fields[predicate.field], predicate.operator, given[param.name], entity)
    parts = tuple(part for each in predicate.parts if (part := bound(each, given, entity)) is not None)
    return Group(predicate.operator, parts) if parts or not predicate.parts else None
