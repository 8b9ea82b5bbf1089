"""Values in filters and in writes: of the field's type, or a parameter, a moment or another field in place of one."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from soulspot_db.language.field import FieldSpec, Missing
from soulspot_db.language.moments import parse_offset
from soulspot_db.language.operators import TEXTS
from soulspot_db.language.predicates import Now, OtherField, Param
from soulspot_db.language.reasons import first_reason
from soulspot_db.language.scope import FilterError, HasFields, field_of

__all__ = ["checked", "comparable", "read_amount", "read_operand", "read_param", "read_value", "stands_for"]


def read_value(field: FieldSpec, value: Any, entity: HasFields) -> Any:
    """A new value for a field in a template: itself, a parameter, a moment or another field.

    Raises:
        FilterError: the field cannot hold it.
    """
    if value is None:
        if not field.nullable:
            raise FilterError(f"{field.name} cannot be null", field.name)
        return None
    if stands_for(field, value, template=True):
        if "field" in value:
            return OtherField(comparable(field, value["field"], entity))
        return read_operand(field, value, template=True)
    return checked(field, value, adapter=field.input_adapter)


def read_amount(field: FieldSpec, value: Any) -> Any:
    """What is added to a field: a number of its type, whatever its limits are, or a parameter.

    Raises:
        FilterError: it is neither.
    """
    if stands_for(field, value, template=True) and "param" in value:
        return read_param(value, field.name)
    return checked(field, value)


def stands_for(field: FieldSpec, value: Any, *, template: bool) -> bool:
    """Whether a mapping stands for a value, and is neither operators nor JSON."""
    if not isinstance(value, Mapping):
        return False
    if template and "param" in value:
        return True
    return field.type != "json" and value.keys() in ({"field"}, {"now"})


def read_operand(field: FieldSpec, value: Any, *, template: bool) -> Any:
    """A value that a field is compared with: of its type, or what stands for one.

    Raises:
        FilterError: the field cannot hold it.
    """
    if not stands_for(field, value, template=template):
        return checked(field, value)
    if "param" in value:
        return read_param(value, field.name)
    if "now" not in value:
        raise FilterError(f"{field.name}: a field cannot stand in a list or a range", field.name)
    if field.type != "datetime":
        raise FilterError(f"{field.name}: now is a datetime, the field is of type {field.type}", field.name)
    try:
        return Now(parse_offset(value["now"]))
    except ValueError as error:
        raise FilterError(f"{field.name}: {error}", field.name) from None


def comparable(field: FieldSpec, name: object, entity: HasFields) -> str:
    """The name of another field, which a field can be compared with.

    Raises:
        FilterError: there is no such field, or it is of another type.
    """
    other = field_of(name, entity)
    if other.encrypted != field.encrypted:
        raise FilterError(f"only one of {field.name} and {other.name} is encrypted", field.name)
    if (other.type, other.scale) != (field.type, field.scale) and {other.type, field.type} - TEXTS:
        raise FilterError(f"{field.name} and {other.name} are of different types and cannot be compared", field.name)
    return other.name


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


def checked(field: FieldSpec, value: Any, name: str | None = None, adapter: TypeAdapter[Any] | None = None) -> Any:
    """A value as the field holds it; `name` is what a refusal calls the field.

    Raises:
        FilterError: the field cannot hold it.
    """
    try:
        return (adapter or field.adapter).validate_python(value)
    except ValidationError as error:
        raise FilterError(f"{name or field.name}: {first_reason(error)}", name or field.name) from None
