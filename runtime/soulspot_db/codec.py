"""Between Python and the database: values to bind, rows to models, models to the facade's dicts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote

from pydantic import ValidationError

from soulspot_db.entity import Entity
from soulspot_db.errors import DatabaseError, QueryFailedError, UnknownFieldError, ValidationFailedError
from soulspot_db.language.filters import FilterError
from soulspot_db.language.spec import EntitySpec, FieldSpec, nearest
from soulspot_db.language.types import TYPES

__all__ = ["Codec", "KeyCodec", "refused_filter", "refused_input"]

Model = TypeVar("Model", bound=Entity)
Convert = Callable[[Any], Any]


class Codec(Generic[Model]):
    """Converts one entity's values for SQLite; a value the driver already takes is passed through untouched."""

    def __init__(self, spec: EntitySpec, model: type[Model]) -> None:
        self._spec = spec
        self._names = tuple(spec.fields)
        self._validate = model.__pydantic_validator__.validate_python
        self._encoders = {field.name: encode for field in spec.fields.values() if (encode := _encoder(field))}
        self._decoders = [
            (position, decode)
            for position, field in enumerate(spec.fields.values())
            if (decode := _decoder(field)) is not None
        ]
        self._exports = {
            name: export for name, field in spec.fields.items() if (export := TYPES[field.type].export) is not None
        }

    def encode(self, name: str, value: Any) -> Any:
        """The value to bind for field `name`."""
        encode = self._encoders.get(name)
        return value if encode is None or value is None else encode(value)

    def decode(self, row: Sequence[Any]) -> Model:
        """The model of a row that has every field in the schema's order.

        Raises:
            QueryFailedError: somebody else stored a value that this entity cannot hold.
        """
        values = dict(zip(self._names, row, strict=True))
        try:
            for position, decode in self._decoders:
                if row[position] is not None:
                    values[self._names[position]] = decode(row[position])
            model: Model = self._validate(values)
        except ValueError as error:
            problems = error.errors(include_input=False) if isinstance(error, ValidationError) else []
            fields = [str(item["loc"][0]) for item in problems]
            raise QueryFailedError(
                f"a stored row of {self._spec.entity_type} cannot be read"
                + (f": {', '.join(fields)}" if fields else ""),
                "Another program wrote a value that the schema does not allow; correct it in the database.",
                entity_type=self._spec.entity_type,
                fields=fields,
            ) from error
        return model

    def export(self, model: Entity) -> dict[str, Any]:
        """A dict of the caller's own, in the facade's terms: uuids as text, lists as lists."""
        values = dict(model.__dict__)
        for name, export in self._exports.items():
            if values[name] is not None:
                values[name] = export(values[name])
        return values


def _encoder(field: FieldSpec) -> Convert | None:
    make = TYPES[field.type].sqlite.encode
    return make(field) if make else None


def _decoder(field: FieldSpec) -> Convert | None:
    make = TYPES[field.type].sqlite.decode
    return make(field) if make else None


class KeyCodec:
    """The primary key as callers give it (a value, a tuple, text) and as the runtime uses it: a tuple of values."""

    def __init__(self, spec: EntitySpec) -> None:
        self._spec = spec
        self._fields = spec.key_fields

    def values(self, key: Any) -> tuple[Any, ...]:
        """The parts of a typed key.

        Raises:
            ValidationFailedError: it is not a key of this entity.
        """
        parts = (key,) if len(self._fields) == 1 else tuple(key) if isinstance(key, tuple) else ()
        if len(parts) != len(self._fields):
            raise self._refuse(f"a key of {self._spec.entity_type} has {len(self._fields)} parts")
        try:
            return tuple(field.adapter.validate_python(part) for field, part in zip(self._fields, parts, strict=True))
        except ValidationError as error:
            raise self._refuse(_reason(error.errors(include_input=False, include_url=False)[0])) from None

    def parse(self, text: str) -> tuple[Any, ...]:
        """The parts of a key that is given as text: percent-encoded, joined by commas, in key order.

        Raises:
            ValidationFailedError: it is not text, or not a key of this entity.
        """
        if not isinstance(text, str):
            raise self._refuse(f"an entity id is text, got {type(text).__name__}")
        parts = [unquote(part) for part in text.split(",")] if len(self._fields) > 1 else [text]
        given = [
            _number(part) if field.type == "integer" else part for field, part in zip(self._fields, parts, strict=False)
        ]
        if len(parts) != len(self._fields):
            raise self._refuse(f"an id of {self._spec.entity_type} has {len(self._fields)} parts, joined by commas")
        return self.values(given[0] if len(given) == 1 else tuple(given))

    def text(self, values: Iterable[Any]) -> str:
        """The key as events and the facade write it."""
        parts = [str(value) for value in values]
        return parts[0] if len(parts) == 1 else ",".join(quote(part, safe="") for part in parts)

    def _refuse(self, reason: str) -> ValidationFailedError:
        fields = ", ".join(f"{field.name} ({field.type})" for field in self._fields)
        return ValidationFailedError(
            f"not a key of {self._spec.entity_type}: {reason}",
            f"Pass the primary key: {fields}.",
            entity_type=self._spec.entity_type,
            field=self._fields[0].name,
        )


def _number(text: str) -> int | str:
    return int(text) if text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() else text


def _reason(item: Mapping[str, Any]) -> str:
    return str(item["msg"]).removeprefix("Value error, ")


def refused_input(error: ValidationError, spec: EntitySpec, operation: str) -> DatabaseError:
    """The error for input that a model refused: the first unknown field, else every field that does not fit."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    context = {"entity_type": spec.entity_type, "operation": operation}
    for item in found:
        name = str(item["loc"][0]) if item["loc"] else ""
        if item["type"] != "extra_forbidden":
            continue
        if name in spec.key:
            return ValidationFailedError(
                f"the key field {name!r} of {spec.entity_type} cannot be changed",
                "Delete the row and save a new one, or leave the key out of the update.",
                field=name,
                **context,
            )
        hint = nearest(name, spec.fields)
        return UnknownFieldError(
            f"{spec.entity_type} has no field {name!r}" + (f"; {hint}" if hint else ""),
            f"Use one of its fields: {', '.join(spec.fields)}.",
            field=name,
            **context,
        )
    problems = {str(item["loc"][0]) if item["loc"] else "": _reason(item) for item in found}
    listed = "; ".join(f"{name}: {reason}" for name, reason in problems.items())
    return ValidationFailedError(
        f"{spec.entity_type} cannot be stored: {listed}",
        "Correct the fields named above; nothing was written.",
        field=next(iter(problems)),
        fields=list(problems),
        **context,
    )


def refused_filter(problem: FilterError, spec: EntitySpec, operation: str) -> DatabaseError:
    """The error for a filter or an order that does not fit the entity."""
    context = {"entity_type": spec.entity_type, "operation": operation, "field": problem.field}
    if problem.unknown:
        return UnknownFieldError(str(problem), f"Use one of its fields: {', '.join(spec.fields)}.", **context)
    return ValidationFailedError(
        str(problem), "Correct the filter or order; docs/api.md shows all operators.", **context
    )
