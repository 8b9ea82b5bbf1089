"""One field of a spec to the code that declares it."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from soulspot_db.language.field import FieldSpec, Missing, limits
from soulspot_db.language.field_document import FieldDocument
from soulspot_db.language.operators import TEXTS, UNORDERED
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.types import TYPES

from soulspot_db_codegen import ir, naming
from soulspot_db_codegen.layout import Brackets, Expression, call, literal, subscript, union

__all__ = ["field_code", "is_key_type", "key_part_code", "key_type", "key_types", "scalar_code", "virtual_code"]

# As generated modules spell them: lower-case names are hidden behind an underscore, which no field can begin with.
_SPELLED: Mapping[str, str] = {"date": "_dt.date", "time": "_dt.time", "datetime": "_dt.datetime"}
_FILTERS: Mapping[str, str] = {"json": "JsonFilter", "list": "ListFilter", "datetime": "DatetimeFilter"}
_MADE: Mapping[str, str] = {"now": "_defaults.utc_now", "uuid4": "_defaults.uuid4", "uuid7": "_defaults.uuid7"}


def key_type(spec: EntitySpec) -> str:
    """The type of an entity's key: `PlaylistId`, or `PlaylistTrackKey` where it has several parts."""
    return naming.pascal(spec.entity_type) + ("Id" if len(spec.key) == 1 else "Key")


def key_types(specs: Mapping[str, EntitySpec]) -> dict[int, str]:
    """The type of every field that is a key or refers to one, by its identity: those of two entities may be equal."""
    types = {}
    for spec in specs.values():
        for field in spec.fields.values():
            if field.references is not None:
                types[id(field)] = key_type(specs[field.references])
            elif spec.key == (field.name,):
                types[id(field)] = key_type(spec)
    return types


def field_code(
    field: FieldSpec, spec: EntitySpec, target: Callable[[str], EntitySpec], *, has_virtual: bool
) -> ir.Field:
    """The code of one field.

    Args:
        field: the field.
        spec: the entity it belongs to.
        target: finds the entity that a `references` names.
        has_virtual: whether a virtual field may be given in its place.
    """
    plain = _plain_type(field, spec, target)
    given = _given(field, plain)
    return ir.Field(
        name=field.name,
        description=naming.prose(_description(field)),
        stored=f"{plain} | None" if field.nullable else plain,
        row=_row(field, plain),
        given=_hidden(field, union(given, "None") if field.nullable or field.assigned else given),
        default=_default(field, plain) or ("UNSET" if has_virtual else None),
        filter=_filter(field, plain),
        orders=_orders(field),
        is_fixed=field.name in {*spec.key, spec.soft_delete},
    )


def virtual_code(name: str, document: FieldDocument, spec: EntitySpec) -> ir.Virtual:
    """The code of a field that is not stored."""
    virtual = spec.virtual[name]
    field = spec.fields[virtual.field]
    stands_for = call("_virtual.VirtualId", literal(virtual.field), literal(virtual.prefix))
    text = union(subscript("Annotated", "str", "_rules.text"), "None")
    return ir.Virtual(
        name=name,
        description=naming.prose(_description(document)) or f"`{virtual.field}` without its prefix.",
        field=virtual.field,
        prefix=virtual.prefix,
        given=subscript("Annotated", text, call("Field", repr="False"), stands_for),
        orders=_orders(replace(field, name=name)),
        is_fixed=field.name in spec.key,
    )


def _description(field: FieldSpec | FieldDocument) -> str | None:
    if not field.deprecated:
        return field.description
    instead = f": {field.deprecated}" if isinstance(field.deprecated, str) else ""
    return f"{(field.description or '').rstrip('.')}. Deprecated{instead}".removeprefix(". ")


def _row(field: FieldSpec, plain: str) -> Expression:
    return _hidden(field, union(plain, "None") if field.nullable else plain)


def _hidden(field: FieldSpec, kind: Expression) -> Expression:
    """The annotation of a field whose value is left out of what a model prints as."""
    # Around all of it: Pydantic does not look for this inside a union.
    return subscript("Annotated", kind, call("Field", repr="False")) if field.sensitive else kind


def _plain_type(field: FieldSpec, spec: EntitySpec, target: Callable[[str], EntitySpec]) -> str:
    if spec.key == (field.name,):
        return key_type(spec)
    if field.references is not None:
        return key_type(target(field.references))
    if field.type == "enum":
        return naming.enum_class(spec.entity_type, field.name)
    if field.type == "list":
        return f"tuple[{scalar_code(field.item)}, ...]"
    return scalar_code(field)


def key_part_code(field: FieldSpec, target: Callable[[str], EntitySpec]) -> Expression:
    """The type of one part of a composite key, without the aliases of the entity's own module."""
    if field.type == "enum" and field.references is None:
        return subscript("Literal", *map(literal, field.values))
    return key_type(target(field.references)) if field.references is not None else scalar_code(field)


def scalar_code(field: FieldSpec) -> str:
    """The type of a value of a field that is neither an enum nor a list, as generated modules spell it."""
    return _SPELLED.get(field.type, TYPES[field.type].python)


def _given(field: FieldSpec, plain: str) -> Expression:
    rule = f"_rules.{TYPES[field.type].rule}"
    if field.type == "decimal":
        rule = f"{rule}({field.precision}, {field.scale})"
    kind: Expression = "JsonInput" if field.type == "json" else plain
    if field.type == "list":
        kind = f"tuple[Annotated[{scalar_code(field.item)}, _rules.{TYPES[field.item.type].rule}], ...]"
    named = {name: literal(value) for name, value in limits(field).items()}
    return subscript("Annotated", kind, *([call("Field", **named)] if named else []), rule)


def _default(field: FieldSpec, plain: str) -> Expression | None:
    if field.assigned:
        return "None"
    if field.made is not None:
        maker = _MADE[field.made]
        return call("Field", default_factory=f"lambda: {plain}({maker}())" if is_key_type(field, plain) else maker)
    if field.default is Missing or field.default is None:
        return "None" if field.nullable or field.default is None else None
    if field.type == "json":
        return call("Field", default=literal(field.default), validate_default="True")
    code = _value(field.adapter.validate_python(field.default))
    return call(plain, code) if is_key_type(field, plain) else code


def is_key_type(field: FieldSpec, plain: str) -> bool:
    """Whether `plain`, the type of the field's values, is that of the entity's or another's key."""
    return field.type not in {"enum", "list"} and plain != scalar_code(field)


def _value(value: Any) -> Expression:
    match value:
        case Decimal():
            return call("Decimal", literal(str(value) if value % 1 or "." in str(value) else int(value)))
        case UUID():
            return call("UUID", literal(str(value)))
        case dt.date():
            return call("_dt.date.fromisoformat", literal(value.isoformat()))
        case dt.time():
            return call("_dt.time.fromisoformat", literal(value.isoformat()))
        case tuple():
            return Brackets("(", tuple(map(_value, value)), ",)" if len(value) == 1 else ")")
        case _:
            return literal(value)


def _filter(field: FieldSpec, plain: str) -> Expression:
    if field.encrypted:
        return "NullFilter"
    return _FILTERS.get(field.type) or subscript("TextFilter" if field.type in TEXTS else "FieldFilter", plain)


def _orders(field: FieldSpec) -> tuple[str, ...]:
    if field.type in UNORDERED or field.encrypted:
        return ()
    plain = (field.name, f"{field.name} desc")
    return plain + tuple(f"{order} nulls first" for order in plain) if field.nullable else plain
