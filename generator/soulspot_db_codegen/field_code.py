"""One field of a spec to the code that declares it."""

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from soulspot_db.language.spec import EntitySpec, FieldSpec, Missing
from soulspot_db.language.types import TYPES

from soulspot_db_codegen import ir, naming
from soulspot_db_codegen.layout import Expression, call, literal, subscript, suffixed

__all__ = ["field_code", "key_type"]

# As generated modules spell them: lower-case names are hidden behind an underscore, which no field can begin with.
_SPELLED: Mapping[str, str] = {"date": "_dt.date", "time": "_dt.time", "datetime": "_dt.datetime"}
_MADE: Mapping[str, str] = {"now": "_defaults.utc_now", "uuid4": "_defaults.uuid4", "uuid7": "_defaults.uuid7"}


def key_type(spec: EntitySpec) -> str:
    """The type of an entity's key: `PlaylistId`, or `PlaylistTrackKey` where it has several parts."""
    return naming.pascal(spec.entity_type) + ("Id" if len(spec.key) == 1 else "Key")


def field_code(field: FieldSpec, spec: EntitySpec, target: Callable[[str], EntitySpec]) -> ir.Field:
    """The code of one field.

    Args:
        field: the field.
        spec: the entity it belongs to.
        target: finds the entity that a `references` names.
    """
    plain = _plain_type(field, spec, target)
    optional = " | None" if field.nullable else ""
    given = suffixed(_given(field, plain), " | None" if field.assigned else optional)
    return ir.Field(
        name=field.name,
        description=field.description,
        stored=plain + optional,
        given=given,
        default=_default(field, plain),
        filter="ListFilter" if field.type == "list" else f"FieldFilter[{plain}]",
        orders=_orders(field),
        is_key=field.name in spec.key,
    )


def _plain_type(field: FieldSpec, spec: EntitySpec, target: Callable[[str], EntitySpec]) -> str:
    if spec.key == (field.name,):
        return key_type(spec)
    if field.references is not None:
        return key_type(target(field.references))
    if field.type == "enum":
        return naming.enum_class(spec.entity_type, field.name)
    if field.type == "list":
        return f"tuple[{_scalar(field.item)}, ...]"
    return _scalar(field)


def _scalar(field: FieldSpec) -> str:
    return _SPELLED.get(field.type, TYPES[field.type].python)


def _given(field: FieldSpec, plain: str) -> Expression:
    rule = f"_rules.{TYPES[field.type].rule}"
    if field.type == "decimal":
        rule = f"{rule}({field.precision}, {field.scale})"
    kind: Expression = plain
    if field.type == "list":
        kind = f"tuple[Annotated[{_scalar(field.item)}, _rules.{TYPES[field.item.type].rule}], ...]"
    limits = {
        "max_length": field.max_length,
        "pattern": field.pattern and rf"^(?:{field.pattern})\Z",
        "ge": field.minimum,
        "le": field.maximum,
    }
    named = {name: literal(value) for name, value in limits.items() if value is not None}
    return subscript("Annotated", kind, *([call("Field", **named)] if named else []), rule)


def _default(field: FieldSpec, plain: str) -> Expression | None:
    if field.assigned:
        return "None"
    if field.made is not None:
        maker = _MADE[field.made]
        is_key = field.type == "uuid" and plain != "UUID"
        return call("Field", default_factory=f"lambda: {plain}({maker}())" if is_key else maker)
    if field.default is Missing or field.default is None:
        return "None" if field.nullable or field.default is None else None
    value = field.adapter.validate_python(field.default)
    code = _value(value)
    return f"{plain}({code})" if field.type == "uuid" and plain != "UUID" else code


def _value(value: Any) -> Expression:
    match value:
        case Decimal():
            return f'Decimal("{value}")'
        case UUID():
            return f'UUID("{value}")'
        case dt.date():
            return f'_dt.date.fromisoformat("{value.isoformat()}")'
        case dt.time():
            return f'_dt.time.fromisoformat("{value.isoformat()}")'
        case tuple():
            return literal(value) if all(type(item) in {str, int, float, bool} for item in value) else _tuple(value)
        case _:
            return literal(value)


def _tuple(value: tuple[Any, ...]) -> str:
    return "(" + "".join(f"{_value(item)}, " for item in value).rstrip() + ")"


def _orders(field: FieldSpec) -> tuple[str, ...]:
    plain = (field.name, f"{field.name} desc")
    return plain + tuple(f"{order} nulls first" for order in plain) if field.nullable else plain
