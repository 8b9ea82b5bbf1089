"""The arguments of a named query: checked against its parameters, with defaults for those that are not given."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from soulspot_db.defaults import MAKERS
from soulspot_db.entity import UNSET
from soulspot_db.errors import ValidationFailedError
from soulspot_db.language.field import Missing
from soulspot_db.language.nearest import nearest
from soulspot_db.language.params import ParamSpec
from soulspot_db.language.predicates import Increment, Param
from soulspot_db.language.queries import QuerySpec
from soulspot_db.language.reasons import first_reason
from soulspot_db.language.spec import EntitySpec

__all__ = ["arguments", "changes"]


def arguments(query: QuerySpec, given: Mapping[str, Any], entity_type: str) -> dict[str, Any]:
    """What the parameters of a query are; those that are UNSET count as not given, and optional ones stay away.

    Raises:
        ValidationFailedError: one is unknown, missing, or not of its type.
    """
    given = {name: value for name, value in given.items() if value is not UNSET}
    for name in given.keys() - query.params.keys():
        hint = nearest(name, query.params) or f"it has {', '.join(query.params) or 'none'}"
        raise _refused(query, entity_type, name, f"has no parameter {name!r}; {hint}")
    found = {}
    for name, param in query.params.items():
        if name in given and not (given[name] is None and param.skips_none):
            found[name] = _checked(param, given[name], query, entity_type)
        elif param.default is not Missing:
            found[name] = param.default
        elif param.made is not None:
            found[name] = MAKERS[param.made]()
        elif not param.optional:
            raise _refused(query, entity_type, name, f"needs the parameter {name!r}")
    return found


def changes(query: QuerySpec, values: Mapping[str, Any], spec: EntitySpec) -> dict[str, Any]:
    """The new values of the fields that a query sets, without those whose optional parameter is not among `values`.

    Raises:
        ValidationFailedError: a value does not fit its field, or none is left.
    """
    found = {}
    for name, value in query.changes.items():
        inner = value.amount if isinstance(value, Increment) else value
        if isinstance(inner, Param):
            if inner.name not in values:
                continue
            given = _stored(query, spec, inner, values[inner.name])
            inner = _fitting(query, spec, name, inner.name, given, is_added=inner is not value)
        found[name] = Increment(inner) if isinstance(value, Increment) else inner
    if not found:
        raise _refused(query, spec.entity_type, None, "sets nothing without its parameters")
    return found


def _stored(query: QuerySpec, spec: EntitySpec, param: Param, value: Any) -> Any:
    """What is stored for a value, which a virtual field may be given by."""
    if param.virtual is None or value is None:
        return value
    try:
        return param.virtual.stored(value)
    except ValueError as error:
        raise _refused(query, spec.entity_type, param.name, f"cannot take this {param.name!r}: {error}") from None


def _fitting(query: QuerySpec, spec: EntitySpec, name: str, param: str, value: Any, *, is_added: bool) -> Any:
    """A new value of a field, which may have been declared as something else; or what is added to it."""
    field = spec.fields[name]
    if value is None and field.nullable and not is_added:
        return None
    adapter = field.adapter if is_added else field.input_adapter
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise _refused(query, spec.entity_type, param, f"cannot take this {param!r}: {first_reason(error)}") from None


def _checked(param: ParamSpec, value: Any, query: QuerySpec, entity_type: str) -> Any:
    if value is None and param.nullable:
        return None
    # A new value must pass the rules of its field; what is only compared may be any value of the type.
    adapter = param.field.input_adapter if param.stored else param.field.adapter
    try:
        if not param.many:
            return adapter.validate_python(value)
        if isinstance(value, (list, tuple, set, frozenset)):
            items: Iterable[Any] = value
            return tuple(item if item is None else adapter.validate_python(item) for item in items)
    except ValidationError as error:
        raise _refused(
            query, entity_type, param.name, f"cannot take this {param.name!r}: {first_reason(error)}"
        ) from None
    raise _refused(query, entity_type, param.name, f"takes a list as {param.name!r}, got {type(value).__name__}")


def _refused(query: QuerySpec, entity_type: str, param: str | None, problem: str) -> ValidationFailedError:
    takes = ", ".join(query.params) or "no parameters"
    return ValidationFailedError(
        f"{query.name} of {entity_type} {problem}",
        f"It takes {takes}; its description in the schema says what they mean.",
        entity_type=entity_type,
        operation=query.name,
        **({} if param is None else {"field": param}),
    )
