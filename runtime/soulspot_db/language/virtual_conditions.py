"""Conditions on virtual fields, as conditions on the stored field: an index on that one serves them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from soulspot_db.language.field import FieldSpec
from soulspot_db.language.predicates import Compare, Group, Predicate
from soulspot_db.language.scope import FilterError, HasFields
from soulspot_db.language.values import checked, read_param
from soulspot_db.language.virtual import VirtualId

__all__ = ["VIRTUAL_OPERATORS", "begun", "stored_value", "virtual_condition"]

VIRTUAL_OPERATORS = ("eq", "ne", "is", "is_not", "in", "not_in", "starts_with")
"""Those that mean the same with the prefix as without it."""

_TEXT = FieldSpec("", "text", "")
_LISTS = (list, tuple, set, frozenset)
Condition = Callable[[str, Any], Predicate]


def virtual_condition(name: str, virtual: VirtualId, operator: object, value: Any, condition: Condition) -> Predicate:
    """One condition on a virtual field.

    Args:
        name: the virtual field.
        virtual: what it stands for.
        operator: how it is compared.
        value: with what.
        condition: makes a condition on the stored field, of an operator and a value.

    Raises:
        FilterError: the operator means something else with the prefix, or the value is no text.
    """
    if operator not in VIRTUAL_OPERATORS:
        raise FilterError(
            f"{name} is {virtual.field} without {virtual.prefix!r} and goes with {', '.join(VIRTUAL_OPERATORS)}; "
            f"{operator!r} is for {virtual.field}",
            name,
        )
    if isinstance(value, Mapping):
        if "param" not in value:
            raise FilterError(f"{name} is compared with values; {virtual.field} can be with fields", name)
        return Compare(virtual.field, str(operator), (replace(read_param(value, name), virtual=virtual),))
    field = _Virtual(name, virtual, condition)
    match operator:
        case "in" | "not_in":
            return field.membership(operator, value)
        case "starts_with":
            return field.start(value)
        case _:
            return field.comparison(str(operator), value)


@dataclass(frozen=True, slots=True)
class _Virtual:
    """A virtual field, and what makes conditions on the stored one."""

    name: str
    virtual: VirtualId
    condition: Condition

    def membership(self, operator: str, value: Any) -> Predicate:
        if not isinstance(value, _LISTS):
            raise FilterError(f"{self.name}: {operator} takes a list", self.name)
        stored = [self._stored(item) for item in value if item is not None]
        found = self.condition(operator, stored)
        if operator == "not_in" and value:
            return Group("and", (self._begins, found))
        return found if len(stored) == len(value) else Group("or", (found, Group("not", (self._begins,))))

    def start(self, value: Any) -> Predicate:
        listed = isinstance(value, _LISTS)
        return self.condition("starts_with", [*map(self._stored, value)] if listed else self._stored(value))

    def comparison(self, operator: str, value: Any) -> Predicate:
        is_same = operator in {"eq", "is"}
        if value is None:
            return Group("not", (self._begins,)) if is_same else self._begins
        found = self.condition(operator, self._stored(value))
        return Group("and", (self._begins, found)) if operator == "ne" else found

    def _stored(self, value: Any) -> str:
        return _stored(self.name, self.virtual, value)

    @property
    def _begins(self) -> Predicate:
        # What is null does not begin so, which is no "perhaps": a `not` around it holds.
        begins = self.condition("starts_with", self.virtual.prefix)
        return Group("and", (Compare(self.virtual.field, "not_null"), begins))


def begun(predicate: Predicate | None, entity: HasFields) -> Iterator[str]:
    """The virtual fields that a predicate says are not null."""
    if isinstance(predicate, Compare) and predicate.operator == "starts_with" and predicate.values:
        for name, virtual in entity.virtual.items():
            text = predicate.values[0]
            if predicate.field == virtual.field and isinstance(text, str) and text.startswith(virtual.prefix):
                yield name
    elif isinstance(predicate, Group) and predicate.operator == "and":
        for part in predicate.parts:
            yield from begun(part, entity)


def stored_value(name: str, virtual: VirtualId, wanted: Any) -> Any:
    """What the stored field is set to where a virtual one is to be `wanted`: a text, null or a parameter.

    Raises:
        FilterError: it is none of these.
    """
    if isinstance(wanted, Mapping):
        return replace(read_param(wanted, name), virtual=virtual)
    return None if wanted is None else _stored(name, virtual, wanted)


def _stored(name: str, virtual: VirtualId, value: Any) -> str:
    text: str = checked(_TEXT, value, name)
    try:
        return virtual.stored(text)
    except ValueError as error:
        raise FilterError(f"{name}: {error}", name) from None
