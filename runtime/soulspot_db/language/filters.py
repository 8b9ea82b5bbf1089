"""The filter language: a dict, checked against an entity, becomes a frozen predicate tree.

{"status": "pending"}                     equals; a list means in, None means null
{"retry_count": {"lt": 3, "ne": 0}}       operators, all of which must hold
{"started_at": {"gt": {"field": "created_at"}}}    one field compared with another
{"expires_at": {"lt": {"now": "-10m"}}}   a moment counted from now
{"or": [{...}, {...}]}, {"not": {...}}    and, or, not
{"tracks": {"none": {"status": "ready"}}} some, none or every of the related rows
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from pydantic import TypeAdapter, ValidationError

from soulspot_db.language.field import FieldSpec, Missing
from soulspot_db.language.moments import parse_offset
from soulspot_db.language.nearest import nearest
from soulspot_db.language.operators import TEXTS, Operator, operators_of
from soulspot_db.language.predicates import (
    Compare,
    Group,
    Now,
    OtherField,
    Param,
    Predicate,
    Related,
    compares,
    is_timed,
    padded_length,
)
from soulspot_db.language.relations import Find, RelationSpec

__all__ = [
    "FilterError",
    "HasFields",
    "check_size",
    "field_of",
    "parse_condition",
    "parse_constraint",
    "parse_filter",
    "read_param",
    "read_value",
]

# SQLite binds at most 32,766 values to one statement.
MAX_LIST = 10_000
_MAX_VALUES = 30_000
_MAX_DEPTH = 32
# SQLite parses an expression at most 1,000 levels deep, and a chain of `or` is as deep as it is long.
_MAX_PARTS = 500
# SQLite refuses patterns of more than 50,000 bytes, and escaping makes them longer.
_MAX_PATTERN = 10_000
_NULLS = {"eq": "is_null", "is": "is_null", "ne": "not_null", "is_not": "not_null"}
_TEXT = FieldSpec("", "text", "")
_QUANTIFIERS = ("some", "none", "every")


class FilterError(ValueError):
    """A filter or an order that does not fit the entity. `field` is None where no single field is at fault.

    `known` are the fields that there are instead of one that is unknown; of another entity, where it was asked for there.
    """

    def __init__(self, message: str, field: str | None = None, *, known: Collection[str] | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.known = known

    @property
    def unknown(self) -> bool:
        """Whether there is no such field."""
        return self.known is not None


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


def parse_filter(
    where: Mapping[str, Any] | None, entity: HasFields, *, template: bool = False, find: Find | None = None
) -> Predicate | None:
    """Check `where` against `entity`.

    Args:
        where: the filter.
        entity: the entity.
        template: whether `{param: name}` stands for a value that is given later.
        find: finds other entities; None where the filter must be about the entity alone.

    Returns:
        The predicate, or None where nothing is asked, which selects every row.

    Raises:
        FilterError: unknown field or operator, or a value that the field cannot hold.
    """
    if where is None:
        return None
    predicate = _all(tuple(_Reader(entity, template, find).parts(where, 0)))
    check_size(predicate)
    return predicate


def check_size(predicate: Predicate | None) -> None:
    """Nothing, where a statement can hold a predicate.

    Raises:
        FilterError: it is too large.
    """
    parts, values = _size(predicate)
    if parts > _MAX_PARTS:
        raise FilterError(f"a filter has at most {_MAX_PARTS} conditions, got {parts}; use a list where one will do")
    if values > _MAX_VALUES:
        raise FilterError(
            f"the lists of the filter are too long for one statement; split the query: together they may have {_MAX_VALUES} "
            f"values, and count as {values}, each as long as the next power of two"
        )


def parse_condition(field: FieldSpec, operator: str, value: Any, entity: HasFields) -> Predicate:
    """One condition, as if it were `{field: {operator: value}}`.

    Raises:
        FilterError: the value does not go with the field or the operator.
    """
    return _Reader(entity, template=False).condition(field, operator, value)


def parse_constraint(where: Mapping[str, Any] | None, entity: HasFields) -> Predicate | None:
    """Check a filter that becomes part of the table: it must depend on the row alone.

    Raises:
        FilterError: as `parse_filter`, and for what a table cannot hold.
    """
    predicate = parse_filter(where, entity)
    if is_timed(predicate):
        raise FilterError("what depends on the time cannot be part of a table")
    if any(compare.operator == "has" for compare in compares(predicate)):
        raise FilterError("what a list or a JSON value contains cannot be part of a table")
    return predicate


def read_value(field: FieldSpec, value: Any, entity: HasFields) -> Any:
    """A new value for a field in a template: itself, a parameter, a moment or another field.

    Raises:
        FilterError: the field cannot hold it.
    """
    reader = _Reader(entity, template=True)
    if value is None:
        if not field.nullable:
            raise FilterError(f"{field.name} cannot be null", field.name)
        return None
    if reader.stands_for(field, value):
        return OtherField(reader.comparable(field, value["field"])) if "field" in value else reader.value(field, value)
    return _checked(field, value, adapter=field.input_adapter)


def read_amount(field: FieldSpec, value: Any, entity: HasFields) -> Any:
    """What is added to a field: a number of its type, whatever its limits are, or a parameter.

    Raises:
        FilterError: it is neither.
    """
    reader = _Reader(entity, template=True)
    if reader.stands_for(field, value) and "param" in value:
        return reader.value(field, value)
    return _checked(field, value)


def field_of(name: object, entity: HasFields) -> FieldSpec:
    """The field of this name.

    Raises:
        FilterError: there is none.
    """
    field = entity.fields.get(name) if isinstance(name, str) else None
    if field is None:
        hint = nearest(str(name), entity.fields)
        message = f"{entity.entity_type} has no field {name!r}" + (f"; {hint}" if hint else "")
        raise FilterError(message, str(name), known=entity.fields)
    return field


def _size(predicate: Predicate | None) -> tuple[int, int]:
    """How many nodes a predicate has, and how many values its statement binds."""
    if predicate is None:
        return 1, 0
    if isinstance(predicate, Compare):
        if predicate.operator == "has":
            nodes = _nodes(predicate.values[0])
            return nodes, nodes
        return 1, padded_length(len(predicate.values))
    if isinstance(predicate, Related):
        parts, values = _size(predicate.where)
        return 1 + parts, values
    sizes = [_size(part) for part in predicate.parts]
    return 1 + sum(parts for parts, _ in sizes), sum(values for _, values in sizes)


def _nodes(value: Any) -> int:
    """How many values a JSON value consists of."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, tuple) else ()
    return 1 + sum(map(_nodes, inner))


def _all(parts: tuple[Predicate, ...]) -> Predicate | None:
    return parts[0] if len(parts) == 1 else Group("and", parts) if parts else None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the parts of one filter."""

    entity: HasFields
    template: bool
    find: Find | None = None

    def parts(self, where: Any, depth: int) -> Iterator[Predicate]:
        if not isinstance(where, Mapping):
            raise FilterError(f"a filter is a dict such as {{'status': 'pending'}}, got {type(where).__name__}")
        if depth > _MAX_DEPTH:
            raise FilterError(f"the filter is nested more than {_MAX_DEPTH} levels deep")
        for name, wanted in where.items():
            if name in {"and", "or"}:
                if not isinstance(wanted, Sequence) or isinstance(wanted, str):
                    raise FilterError(f"{name!r} takes a list of filters")
                members = (_all(tuple(self.parts(part, depth + 1))) for part in wanted)
                # An empty filter holds for every row, so an `or` with one in it does as well.
                yield Group(name, tuple(Group("and", ()) if part is None else part for part in members))
            elif name == "not":
                inner = _all(tuple(self.parts(wanted, depth + 1)))
                yield Group("not", (inner or Group("and", ()),))
            elif (relation := self._relation(name)) is not None:
                yield from self._related(relation, wanted, depth)
            else:
                yield from self._conditions(field_of(name, self.entity), wanted)

    def _relation(self, name: object) -> RelationSpec | None:
        if self.find is None or not isinstance(name, str) or name in self.entity.fields:
            return None
        return self.find(self.entity.entity_type).relations.get(name)

    def _related(self, relation: RelationSpec, wanted: Any, depth: int) -> Iterator[Predicate]:
        if not isinstance(wanted, Mapping) or not wanted or wanted.keys() - set(_QUANTIFIERS):
            listed = ", ".join(_QUANTIFIERS)
            raise FilterError(f"{relation.name} is a relation; write {{{relation.name}: {{some: {{...}}}}}} ({listed})")
        find = cast("Find", self.find)  # without which no relation was found
        target = find(relation.entity)
        tables = (target.table_name, *([] if relation.through is None else [find(relation.through.entity).table_name]))
        for quantifier, where in wanted.items():
            inner = _all(tuple(_Reader(target, self.template, find).parts(where, depth + 1)))
            yield Related(relation, quantifier, inner, target, tables)

    def _conditions(self, field: FieldSpec, wanted: Any) -> Iterator[Predicate]:
        if not isinstance(wanted, Mapping):
            listed = isinstance(wanted, (list, tuple, set, frozenset)) and field.type != "list"
            yield self.condition(field, "in" if listed else "eq", wanted)
            return
        if not wanted:
            raise FilterError(f"{field.name}: {{}} names no operator", field.name)
        if self.template and "param" in wanted:
            yield self.condition(field, "eq", wanted)
            return
        for operator, value in wanted.items():
            yield self.condition(field, operator, value)

    def condition(self, field: FieldSpec, operator: object, value: Any) -> Predicate:
        operators = operators_of(field.type)
        row = operators.get(operator) if isinstance(operator, str) else None
        if row is None:
            known = f"{field.type} fields have {', '.join(operators)}"
            message = f"operator {operator!r} of {field.name} is unknown; {nearest(str(operator), operators) or known}"
            raise FilterError(message, field.name)
        match row.takes:
            case "value":
                return self._comparison(field, row.name, value)
            case "values":
                return self._membership(field, row.name, value)
            case "pair":
                return self._between(field, value)
            case "text":
                return self._match(field, row, value)
            case "part":
                return self._part(field, value)

    def stands_for(self, field: FieldSpec, value: Any) -> bool:
        """Whether a mapping stands for a value, and is neither operators nor JSON."""
        if not isinstance(value, Mapping):
            return False
        if self.template and "param" in value:
            return True
        return field.type != "json" and value.keys() in ({"field"}, {"now"})

    def _comparison(self, field: FieldSpec, operator: str, value: Any) -> Predicate:
        if value is None:
            if operator not in _NULLS:
                raise FilterError(
                    f"{field.name}: {operator} needs a value; only {', '.join(_NULLS)} take None", field.name
                )
            return Compare(field.name, _NULLS[operator])
        if self.stands_for(field, value) and "field" in value:
            return Compare(field.name, operator, other=self.comparable(field, value["field"]))
        return Compare(field.name, operator, (self.value(field, value),))

    def value(self, field: FieldSpec, value: Any) -> Any:
        """A value of the field, or what stands for one."""
        if not self.stands_for(field, value):
            return _checked(field, value)
        if "param" in value:
            return read_param(value, field.name)
        if "now" not in value:
            raise FilterError(f"{field.name}: a field cannot stand in a list or a range", field.name)
        if field.type != "datetime":
            raise FilterError(f"{field.name}: now is a datetime, the field a {field.type}", field.name)
        try:
            return Now(parse_offset(value["now"]))
        except ValueError as error:
            raise FilterError(f"{field.name}: {error}", field.name) from None

    def comparable(self, field: FieldSpec, name: object) -> str:
        other = field_of(name, self.entity)
        if (other.type, other.scale) != (field.type, field.scale) and {other.type, field.type} - TEXTS:
            raise FilterError(
                f"{field.name} and {other.name} are of different types and cannot be compared", field.name
            )
        return other.name

    def _membership(self, field: FieldSpec, operator: str, value: Any) -> Predicate:
        if self.stands_for(field, value) and "param" in value:
            return Compare(field.name, operator, (read_param(value, field.name),))
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise FilterError(f"{field.name}: {operator} takes a list", field.name)
        if len(value) > MAX_LIST:
            raise FilterError(f"{field.name}: at most {MAX_LIST} values fit in one list, got {len(value)}", field.name)
        values = tuple(_checked(field, item) for item in value if item is not None)
        listed = Compare(field.name, operator, values)
        if len(values) == len(value):
            return listed
        if operator == "in":
            return Group("or", (listed, Compare(field.name, "is_null")))
        return Group("and", (listed, Compare(field.name, "not_null")))

    def _between(self, field: FieldSpec, value: Any) -> Predicate:
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise FilterError(f"{field.name}: between takes a list of two values, the least and the most", field.name)
        least, most = value
        return Group("and", (self.condition(field, "gte", least), self.condition(field, "lte", most)))

    def _match(self, field: FieldSpec, row: Operator, value: Any) -> Predicate:
        if row.opposite is not None:
            return Group("not", (self.condition(field, row.opposite, value),))
        if self.template and isinstance(value, Mapping) and "param" in value:
            return Compare(field.name, row.name, (read_param(value, field.name),))
        if isinstance(value, (list, tuple, set, frozenset)):
            return Group("or", tuple(self.condition(field, row.name, item) for item in value))
        text: str = _checked(_TEXT, value, field.name)
        if len(text) > _MAX_PATTERN:
            message = f"{field.name}: {row.name} takes at most {_MAX_PATTERN} characters, got {len(text)}"
            raise FilterError(message, field.name)
        if row.name in {"like", "ilike"} and (len(text) - len(text.rstrip("\\"))) % 2:
            message = f"{field.name}: a pattern cannot end in a backslash, which is for the character that follows"
            raise FilterError(message, field.name)
        return Compare(field.name, row.name, (text,))

    def _part(self, field: FieldSpec, value: Any) -> Predicate:
        if self.stands_for(field, value):
            return Compare(field.name, "contains", (read_param(value, field.name),))
        if field.type == "json":
            return Compare(field.name, "has", (_checked(field, value),))
        items = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
        return Compare(field.name, "has", (_checked(field, tuple(items)),))


def read_param(value: Mapping[str, Any], what: str) -> Param:
    """`{param: name}`, with `default: value` or `optional: true`.

    Raises:
        FilterError: it says something else.
    """
    given = dict(value)
    name, optional, default = given.pop("param", None), given.pop("optional", False), given.pop("default", Missing)
    if given or not isinstance(name, str) or not isinstance(optional, bool) or (optional and default is not Missing):
        raise FilterError(f"{what}: a parameter is {{param: name}}, with 'default: ...' or 'optional: true'")
    return Param(name, optional, default)


def _checked(field: FieldSpec, value: Any, name: str | None = None, adapter: TypeAdapter[Any] | None = None) -> Any:
    try:
        return (adapter or field.adapter).validate_python(value)
    except ValidationError as error:
        reason = error.errors(include_input=False, include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise FilterError(f"{name or field.name}: {reason}", name or field.name) from None
