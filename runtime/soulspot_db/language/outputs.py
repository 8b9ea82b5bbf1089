"""What a named query selects: values of fields, and functions over the rows of a group."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from soulspot_db.language.field import FieldSpec
from soulspot_db.language.filters import parse_filter
from soulspot_db.language.names import check_field_name
from soulspot_db.language.nearest import nearest
from soulspot_db.language.params import INTEGER
from soulspot_db.language.predicates import Predicate
from soulspot_db.language.relations import Find
from soulspot_db.language.scope import FilterError, HasFields, field_of
from soulspot_db.language.virtual import VirtualId

__all__ = ["NUMBERS", "Output", "resolve_output"]

NUMBERS = frozenset({"integer", "float", "decimal"})
# PostgreSQL has no least uuid, nor a least boolean; bytes since version 18 alone.
_NO_LEAST = frozenset({"json", "list", "boolean", "uuid", "bytes"})
_FUNCTIONS = ("count", "sum", "min", "max", "avg")


@dataclass(frozen=True, slots=True)
class Output:
    """One value that is selected: of a field, or of a function over the rows of a group that pass `where`.

    Of a `virtual` field it is that of the stored one without its prefix.
    """

    name: str
    field: FieldSpec | None
    function: str | None = None
    where: Predicate | None = None
    nullable: bool = False
    virtual: VirtualId | None = None
    distinct: bool = False
    """Whether a value counts once, however many rows have it."""

    @property
    def value(self) -> FieldSpec:
        """What the value is, as if it were a field's."""
        if self.function == "count" or self.field is None:
            return INTEGER
        return FieldSpec("", "float", "") if self.function == "avg" else self.field


def resolve_output(
    name: str, wanted: Any, entity: HasFields, find: Find | None, *, grouped: bool, filled: Collection[str]
) -> Output:
    """Decide what one selected value is.

    Args:
        name: what it is called.
        wanted: a field's name, or `{function: field}`.
        entity: the entity.
        find: finds others.
        grouped: whether there are groups, which are never empty.
        filled: fields that are not null in the rows that are found, though they may be in others.

    Raises:
        FilterError: it is neither, or the function is not for such a field.
    """
    try:
        check_field_name(name)
    except ValueError as error:
        raise FilterError(str(error)) from None
    if hasattr(tuple, name):
        raise FilterError(f"{name!r} is a method of every row; choose another name")
    if isinstance(wanted, str):
        return _field(name, wanted, entity, filled)
    where, rest = None, dict(wanted) if isinstance(wanted, Mapping) else {}
    if "count" in rest:
        where = parse_filter(rest.pop("where", None), entity, template=True, find=find)
    if len(rest) != 1:
        raise FilterError("a selected value is a field, or one function of one such as {sum: track_count}")
    ((function, of),) = rest.items()
    if function not in _FUNCTIONS:
        hint = nearest(str(function), _FUNCTIONS) or f"the functions are {', '.join(_FUNCTIONS)}"
        raise FilterError(f"unknown function {function!r}; {hint}")
    if function == "count" and of == "*":
        return Output(name, None, "count", where)
    is_distinct = function == "count" and isinstance(of, Mapping)
    field = field_of(_counted(of) if is_distinct else of, entity)
    _check_function(function, field, is_distinct=is_distinct)
    is_nullable = not grouped or (field.nullable and field.name not in filled)
    nullable = function != "count" and is_nullable
    return Output(name, field, function, where, nullable=nullable, distinct=is_distinct)


def _check_function(function: str, field: FieldSpec, *, is_distinct: bool) -> None:
    if function in {"sum", "avg"} and field.type not in NUMBERS:
        raise FilterError(f"{function} is for numbers, and {field.name} is of type {field.type}")
    if function in {"min", "max"} and field.type in _NO_LEAST:
        raise FilterError(f"{function} is not for {field.name}, which is of type {field.type}")
    if field.encrypted and (function in {"min", "max"} or is_distinct):
        raise FilterError(
            f"{function} is not for {field.name}, which is encrypted, so that values cannot be told apart"
        )


def _field(name: str, wanted: str, entity: HasFields, filled: Collection[str]) -> Output:
    virtual = entity.virtual.get(wanted)
    if virtual is not None:
        return Output(name, entity.fields[virtual.field], nullable=wanted not in filled, virtual=virtual)
    field = field_of(wanted, entity)
    return Output(name, field, nullable=field.nullable and field.name not in filled)


def _counted(of: Mapping[str, Any]) -> Any:
    """The field of which each value is counted once."""
    if of.keys() != {"distinct"}:
        raise FilterError("what is counted is '*', a field, or {distinct: field}")
    return of["distinct"]
