"""The filter language: a dict, checked against an entity, becomes a frozen predicate tree.

{"status": "pending"}                     equals; a list means in, None means null
{"retry_count": {"lt": 3, "ne": 0}}       operators, all of which must hold
{"started_at": {"gt": {"field": "created_at"}}}    one field compared with another
{"expires_at": {"lt": {"now": "-10m"}}}   a moment counted from now
{"or": [{...}, {...}]}, {"not": {...}}    and, or, not
{"tracks": {"none": {"status": "ready"}}} some, none or every of the related rows
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from soulspot_db.language.field import FieldSpec
from soulspot_db.language.nearest import nearest
from soulspot_db.language.operators import Operator, operators_of
from soulspot_db.language.predicates import Compare, Group, Predicate, Related, all_of, compares, is_timed
from soulspot_db.language.relations import Find, RelationSpec
from soulspot_db.language.scope import FilterError, HasFields, field_of
from soulspot_db.language.sizes import check_size
from soulspot_db.language.values import checked, comparable, read_operand, read_param, stands_for
from soulspot_db.language.virtual import VirtualId
from soulspot_db.language.virtual_conditions import virtual_condition
from soulspot_db.language.visibility import visible

__all__ = ["parse_condition", "parse_constraint", "parse_filter"]

MAX_LIST = 10_000
_MAX_DEPTH = 32
# SQLite refuses patterns of more than 50,000 bytes, and escaping makes them longer.
_MAX_PATTERN = 10_000
_NULLS = {"eq": "is_null", "is": "is_null", "ne": "not_null", "is_not": "not_null"}
_TEXT = FieldSpec("", "text", "")
_QUANTIFIERS = ("some", "none", "every")


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
    predicate = all_of(*_Reader(entity, template, find).parts(where, 0))
    check_size(predicate)
    return predicate


def parse_condition(
    field: FieldSpec, operator: str, value: Any, entity: HasFields, virtual: VirtualId | None = None
) -> Predicate:
    """One condition, as if it were `{field: {operator: value}}`, or that on the `virtual` field that stands for it.

    Raises:
        FilterError: the value does not go with the field or the operator.
    """
    reader = _Reader(entity, template=False)
    if virtual is None:
        return reader.condition(field, operator, value)
    return virtual_condition(field.name, virtual, operator, value, partial(reader.condition, field))


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
                members = (all_of(*self.parts(part, depth + 1)) for part in wanted)
                # An empty filter holds for every row, so an `or` with one in it does as well.
                yield Group(name, tuple(Group("and", ()) if part is None else part for part in members))
            elif name == "not":
                inner = all_of(*self.parts(wanted, depth + 1))
                yield Group("not", (inner or Group("and", ()),))
            elif (relation := self._relation(name)) is not None:
                yield from self._related(relation, wanted, depth)
            elif name in self.entity.virtual:
                yield from self._conditions(name, self._stored(name), wanted, partial(self.virtual, name))
            else:
                field = field_of(name, self.entity)
                yield from self._conditions(name, field, wanted, partial(self.condition, field))

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
        between = None if relation.through is None else find(relation.through.entity)
        tables = (target.table_name, *([] if between is None else [between.table_name]))
        hiding = {"visible": visible(target), "visible_between": None if between is None else visible(between)}
        for quantifier, where in wanted.items():
            inner = all_of(*_Reader(target, self.template, find).parts(where, depth + 1))
            yield Related(relation, quantifier, inner, target, tables, **hiding)

    def _stored(self, name: str) -> FieldSpec:
        return self.entity.fields[self.entity.virtual[name].field]

    def _conditions(
        self, name: str, field: FieldSpec, wanted: Any, condition: Callable[[object, Any], Predicate]
    ) -> Iterator[Predicate]:
        if not isinstance(wanted, Mapping):
            listed = isinstance(wanted, (list, tuple, set, frozenset)) and field.type != "list"
            yield condition("in" if listed else "eq", wanted)
            return
        if not wanted:
            raise FilterError(f"{name}: {{}} names no operator", name)
        if self.template and "param" in wanted:
            yield condition("eq", wanted)
            return
        for operator, value in wanted.items():
            yield condition(operator, value)

    def virtual(self, name: str, operator: object, value: Any) -> Predicate:
        """One condition on a virtual field."""
        if not self.template and isinstance(value, Mapping):
            raise FilterError(f"{name} is compared with values", name)
        virtual = self.entity.virtual[name]
        return virtual_condition(name, virtual, operator, value, partial(self.condition, self._stored(name)))

    def condition(self, field: FieldSpec, operator: object, value: Any) -> Predicate:
        if field.encrypted and (value is not None or operator not in _NULLS):
            raise FilterError(f"{field.name} is encrypted, and can only be null or not: {{ne: null}}", field.name)
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

    def _comparison(self, field: FieldSpec, operator: str, value: Any) -> Predicate:
        if value is None:
            if operator not in _NULLS:
                raise FilterError(
                    f"{field.name}: {operator} needs a value; only {', '.join(_NULLS)} take None", field.name
                )
            return Compare(field.name, _NULLS[operator])
        if stands_for(field, value, template=self.template) and "field" in value:
            return Compare(field.name, operator, other=comparable(field, value["field"], self.entity))
        return Compare(field.name, operator, (read_operand(field, value, template=self.template),))

    def _membership(self, field: FieldSpec, operator: str, value: Any) -> Predicate:
        if stands_for(field, value, template=self.template) and "param" in value:
            return Compare(field.name, operator, (read_param(value, field.name),))
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise FilterError(f"{field.name}: {operator} takes a list", field.name)
        if len(value) > MAX_LIST:
            raise FilterError(f"{field.name}: at most {MAX_LIST} values fit in one list, got {len(value)}", field.name)
        values = tuple(checked(field, item) for item in value if item is not None)
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
        text: str = checked(_TEXT, value, field.name)
        if len(text) > _MAX_PATTERN:
            message = f"{field.name}: {row.name} takes at most {_MAX_PATTERN} characters, got {len(text)}"
            raise FilterError(message, field.name)
        if row.name in {"like", "ilike"} and (len(text) - len(text.rstrip("\\"))) % 2:
            message = f"{field.name}: a pattern cannot end in a backslash, which is for the character that follows"
            raise FilterError(message, field.name)
        return Compare(field.name, row.name, (text,))

    def _part(self, field: FieldSpec, value: Any) -> Predicate:
        if stands_for(field, value, template=self.template):
            return Compare(field.name, "contains", (read_param(value, field.name),))
        if field.type == "json":
            return Compare(field.name, "has", (checked(field, value),))
        items = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
        return Compare(field.name, "has", (checked(field, tuple(items)),))
