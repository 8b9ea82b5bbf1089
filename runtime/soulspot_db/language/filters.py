"""The filter language: a dict, checked against an entity, becomes a frozen predicate tree.

{"status": "pending"}                     equals; a list means in, None means null
{"retry_count": {"lt": 3, "ne": 0}}       operators, all of which must hold
{"started_at": {"gt": {"field": "created_at"}}}    one field compared with another
{"or": [{...}, {...}]}, {"not": {...}}    and, or, not
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import ValidationError

from soulspot_db.language.field import FieldSpec
from soulspot_db.language.nearest import nearest

__all__ = [
    "LATER_OPERATORS",
    "UNORDERED",
    "Compare",
    "FilterError",
    "Group",
    "HasFields",
    "Predicate",
    "Term",
    "padded_length",
    "parse_filter",
    "parse_order",
]

_COMPARISONS = frozenset({"eq", "ne", "lt", "lte", "gt", "gte"})
_LISTS = frozenset({"in", "not_in"})
# Each database has an order of its own for these.
UNORDERED = frozenset({"json", "list"})
_TEXTS = {"string", "text", "enum"}
LATER_OPERATORS = frozenset(
    {"like", "ilike", "contains", "starts_with", "ends_with", "between", "some", "none", "every"}
)
# SQLite binds at most 32,766 values to one statement.
MAX_LIST = 10_000
_MAX_VALUES = 30_000
_MAX_DEPTH = 32
# SQLite parses an expression at most 1,000 levels deep, and a chain of `or` is as deep as it is long.
_MAX_PARTS = 500


def padded_length(length: int) -> int:
    """The next power of two: the length that a list of values is filled up to."""
    return 1 << (length - 1).bit_length() if length else 0


@dataclass(frozen=True, slots=True)
class Compare:
    """`field operator value`; `is_null` and `not_null` have no values, `in` and `not_in` any number.

    `other` is the field that the field is compared with, where that is not a value.
    """

    field: str
    operator: str
    values: tuple[Any, ...] = ()
    other: str | None = None

    @property
    def shape(self) -> tuple[Any, ...]:
        """Everything but the values: two predicates of one shape are one SQL statement, and lists share a few."""
        return (self.field, self.operator, padded_length(len(self.values)), self.other)


@dataclass(frozen=True, slots=True)
class Group:
    """`and` or `or` over any number of parts, `not` over one."""

    operator: str
    parts: "tuple[Predicate, ...]"

    @property
    def shape(self) -> tuple[Any, ...]:
        """Everything but the values."""
        return (self.operator, tuple(part.shape for part in self.parts))


Predicate = Compare | Group


@dataclass(frozen=True, slots=True)
class Term:
    """One part of an order; `nulls_first` is None where nothing was said."""

    field: str
    descending: bool
    nulls_first: bool | None = None


class FilterError(ValueError):
    """A filter or an order that does not fit the entity. `field` is None where no single field is at fault."""

    def __init__(self, message: str, field: str | None = None, *, unknown: bool = False) -> None:
        super().__init__(message)
        self.field = field
        self.unknown = unknown


class HasFields(Protocol):
    """What a filter is checked against: an entity, or as much of one as is known while it is resolved."""

    @property
    def entity_type(self) -> str:
        """The entity's name."""
        ...

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        """The entity's fields by name."""
        ...


def parse_filter(where: Mapping[str, Any] | None, entity: HasFields) -> Predicate | None:
    """Check `where` against `entity`.

    Returns:
        The predicate, or None where nothing is asked, which selects every row.

    Raises:
        FilterError: unknown field or operator, or a value that the field cannot hold.
    """
    if where is None:
        return None
    predicate = _all(tuple(_parts(where, entity, 0)))
    parts, values = _size(predicate)
    if parts > _MAX_PARTS:
        raise FilterError(f"a filter has at most {_MAX_PARTS} conditions, got {parts}; use a list where one will do")
    if values > _MAX_VALUES:
        raise FilterError(
            f"the lists of the filter are too long for one statement; split the query: together they may have {_MAX_VALUES} "
            f"values, and count as {values}, each as long as the next power of two"
        )
    return predicate


def _size(predicate: Predicate | None) -> tuple[int, int]:
    """How many nodes a predicate has, and how many values its statement binds."""
    if not isinstance(predicate, Group):
        return 1, padded_length(len(predicate.values)) if predicate else 0
    sizes = [_size(part) for part in predicate.parts]
    return 1 + sum(parts for parts, _ in sizes), sum(values for _, values in sizes)


def _all(parts: tuple[Predicate, ...]) -> Predicate | None:
    return parts[0] if len(parts) == 1 else Group("and", parts) if parts else None


def _parts(where: Any, entity: HasFields, depth: int) -> Iterator[Predicate]:
    if not isinstance(where, Mapping):
        raise FilterError(f"a filter is a dict such as {{'status': 'pending'}}, got {type(where).__name__}")
    if depth > _MAX_DEPTH:
        raise FilterError(f"the filter is nested more than {_MAX_DEPTH} levels deep")
    for name, wanted in where.items():
        if name in {"and", "or"}:
            if not isinstance(wanted, Sequence) or isinstance(wanted, str):
                raise FilterError(f"{name!r} takes a list of filters")
            members = (_all(tuple(_parts(part, entity, depth + 1))) for part in wanted)
            # An empty filter holds for every row, so an `or` with one in it does as well.
            yield Group(name, tuple(Group("and", ()) if part is None else part for part in members))
        elif name == "not":
            inner = _all(tuple(_parts(wanted, entity, depth + 1)))
            yield Group("not", (inner or Group("and", ()),))
        else:
            yield from _conditions(_field(name, entity), wanted, entity)


def _field(name: object, entity: HasFields) -> FieldSpec:
    field = entity.fields.get(name) if isinstance(name, str) else None
    if field is None:
        hint = nearest(str(name), entity.fields)
        message = f"{entity.entity_type} has no field {name!r}" + (f"; {hint}" if hint else "")
        raise FilterError(message, str(name), unknown=True)
    return field


def _conditions(field: FieldSpec, wanted: Any, entity: HasFields) -> Iterator[Predicate]:
    if not isinstance(wanted, Mapping):
        listed = isinstance(wanted, (list, tuple, set, frozenset)) and field.type != "list"
        yield _condition(field, "in" if listed else "eq", wanted, entity)
        return
    if not wanted:
        raise FilterError(f"{field.name}: {{}} names no operator", field.name)
    for operator, value in wanted.items():
        yield _condition(field, operator, value, entity)


def _condition(field: FieldSpec, operator: object, value: Any, entity: HasFields) -> Predicate:
    if operator in _LISTS:
        return _membership(field, str(operator), value)
    if operator not in _COMPARISONS:
        later = " is not supported by this version yet" if operator in LATER_OPERATORS else " is unknown"
        known = ", ".join(sorted(_COMPARISONS | _LISTS))
        raise FilterError(f"operator {operator!r} of {field.name}{later}; the operators are {known}", field.name)
    if value is None:
        if operator not in {"eq", "ne"}:
            raise FilterError(f"{field.name}: {operator} needs a value; only eq and ne take None", field.name)
        return Compare(field.name, "is_null" if operator == "eq" else "not_null")
    if operator not in {"eq", "ne"} and field.type in UNORDERED:
        raise FilterError(
            f"{field.name}: {field.type} values have no order; they take eq, ne, in and not_in", field.name
        )
    if isinstance(value, Mapping) and value.keys() == {"field"} and field.type != "json":
        return Compare(field.name, str(operator), other=_comparable(field, value["field"], entity))
    return Compare(field.name, str(operator), (_value(field, value),))


def _comparable(field: FieldSpec, name: object, entity: HasFields) -> str:
    other = _field(name, entity)
    if (other.type, other.scale) != (field.type, field.scale) and {other.type, field.type} - _TEXTS:
        raise FilterError(f"{field.name} and {other.name} are of different types and cannot be compared", field.name)
    return other.name


def _membership(field: FieldSpec, operator: str, value: Any) -> Predicate:
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise FilterError(f"{field.name}: {operator} takes a list", field.name)
    if len(value) > MAX_LIST:
        raise FilterError(f"{field.name}: at most {MAX_LIST} values fit in one list, got {len(value)}", field.name)
    values = tuple(_value(field, item) for item in value if item is not None)
    listed = Compare(field.name, operator, values)
    if len(values) == len(value):
        return listed
    if operator == "in":
        return Group("or", (listed, Compare(field.name, "is_null")))
    return Group("and", (listed, Compare(field.name, "not_null")))


def _value(field: FieldSpec, value: Any) -> Any:
    try:
        return field.adapter.validate_python(value)
    except ValidationError as error:
        reason = error.errors(include_input=False, include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise FilterError(f"{field.name}: {reason}", field.name) from None


def parse_order(order_by: str | Sequence[str] | None, entity: HasFields) -> tuple[Term, ...]:
    """Read an order such as `"created_at DESC"`, `["priority desc nulls first", "created_at"]`.

    Raises:
        FilterError: anything but field names and directions.
    """
    if order_by is None:
        return ()
    if not isinstance(order_by, (str, list, tuple)):
        raise FilterError(f"an order is text or a list of texts, got {type(order_by).__name__}")
    texts = order_by.split(",") if isinstance(order_by, str) else order_by
    terms = tuple(_term(text, entity) for text in texts[: len(entity.fields) + 1])
    names = [term.field for term in terms]
    if len(set(names)) < len(names):
        raise FilterError("an order names a field twice")
    return terms


def _term(text: object, entity: HasFields) -> Term:
    words = text.split() if isinstance(text, str) else []
    if not words:
        raise FilterError(f"{text!r} is not an order; write 'created_at' or 'created_at desc'")
    name, *rest = words
    field = _field(name, entity)
    if field.type in UNORDERED:
        raise FilterError(f"{field.name}: {field.type} values have no order, so rows have none by them", field.name)
    directions = [word.lower() for word in rest]
    descending = False
    if directions[:1] in (["asc"], ["desc"]):
        descending = directions.pop(0) == "desc"
    nulls = {(): None, ("nulls", "first"): True, ("nulls", "last"): False}
    if tuple(directions) not in nulls:
        raise FilterError(f"{text!r} is not an order; write 'created_at' or 'created_at desc'", field.name)
    return Term(field.name, descending, nulls[tuple(directions)])
