"""Between Python and the database: values to bind, rows to models, models to the facade's dicts."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import quote, unquote

from pydantic import ValidationError

from soulspot_db.encryption import Cipher, UnreadableError, decryption_failed
from soulspot_db.encryption import decoder as decrypting
from soulspot_db.encryption import encoder as encrypting
from soulspot_db.entity import Entity
from soulspot_db.errors import QueryFailedError, ValidationFailedError
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.reasons import reason
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.types import TYPES
from soulspot_db.sql.dialects import Dialect

__all__ = ["Codec", "KeyCodec", "decoder", "exporter", "key_text"]

Model = TypeVar("Model", bound=Entity)
Convert = Callable[[Any], Any]
_INTEGER = re.compile(r"-?[0-9]{1,19}")  # no longer, because Python refuses to read very long ones


class Codec(Generic[Model]):
    """Converts one entity's values for a database; a value the driver already takes is passed through untouched.

    Args:
        spec: the entity.
        model: of its rows.
        dialect: the database.
        cipher: of the database.

    Raises:
        ConfigurationError: the entity has encrypted fields, and the cipher no keys.
    """

    def __init__(self, spec: EntitySpec, model: type[Model], dialect: Dialect, cipher: Cipher) -> None:
        if any(field.encrypted for field in spec.fields.values()):
            cipher.require(spec.entity_type)
        self._spec = spec
        self._names = tuple(spec.fields)
        self._validate = model.__pydantic_validator__.validate_python
        self._encoders = {
            field.name: encode for field in spec.fields.values() if (encode := _encoder(field, dialect, cipher))
        }
        self._decoders = [
            (field.name, position, decode)
            for position, field in enumerate(spec.fields.values())
            if (decode := decoder(field, dialect, cipher)) is not None
        ]
        self._key_positions = tuple(map(self._names.index, spec.key))
        # SQLite may RETURN a key as 1.0 where a column before it is REAL.
        self._key_decoders = tuple(
            int if field.type == "integer" else decoder(field, dialect, cipher) for field in spec.key_fields
        )
        self._virtual = spec.virtual
        self._exports = {field.name: export for field in spec.fields.values() if (export := exporter(field))}

    def encode(self, name: str, value: Any) -> Any:
        """The value to bind for field `name`."""
        encode = self._encoders.get(name)
        return value if encode is None or value is None else encode(value)

    def decoder(self, name: str) -> Convert:
        """Makes the value of field `name` of what is stored."""
        return next((decode for known, _, decode in self._decoders if known == name), lambda stored: stored)

    def encode_row(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """What to bind for the fields that a row has, in its order."""
        values = dict(row)
        for name, encode in self._encoders.items():
            if (value := values.get(name)) is not None:
                values[name] = encode(value)
        return tuple(values.values())

    def decode(self, row: Sequence[Any]) -> Model:
        """The model of a row that has every field in the schema's order.

        Raises:
            QueryFailedError: somebody else stored a value that this entity cannot hold.
            DecryptionFailedError: no key opens a value.
        """
        values = dict(zip(self._names, row, strict=True))
        try:
            for name, position, decode in self._decoders:
                if (stored := row[position]) is not None:
                    values[name] = decode(stored)
            model: Model = self._validate(values)
        except UnreadableError as problem:
            raise decryption_failed(self._spec.entity_type, problem, self.id_of(row)) from None
        except ValueError as error:
            problems = error.errors(include_input=False) if isinstance(error, ValidationError) else []
            fields = [str(item["loc"][0]) for item in problems if item["loc"]]
            raise QueryFailedError(
                f"a stored row of {self._spec.entity_type} cannot be read"
                + (f": {', '.join(fields)}" if fields else ""),
                "Another program wrote a value that the schema does not allow; correct it in the database.",
                entity_type=self._spec.entity_type,
                fields=fields,
            ) from error
        return model

    def id_of(self, row: Sequence[Any]) -> str | None:
        """The key, as text, of a row that has every field in the schema's order; None where it is sensitive."""
        if any(field.sensitive for field in self._spec.key_fields):
            return None
        return key_text(self.decode_key(self.stored_key(row)))

    def stored_key(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """The key columns of a row that has every field in the schema's order."""
        return tuple([row[position] for position in self._key_positions])

    def decode_key(self, stored: Sequence[Any]) -> tuple[Any, ...]:
        """The key of a row from its key columns; one that only another program can have written stays as it is."""
        try:
            return tuple(
                value if decode is None else decode(value)
                for decode, value in zip(self._key_decoders, stored, strict=True)
            )
        except (ArithmeticError, AttributeError, TypeError, ValueError):
            return tuple(stored)

    def export(self, model: Entity) -> dict[str, Any]:
        """A dict of the caller's own, in the facade's terms: uuids as text, lists as lists."""
        values = dict(model.__dict__)
        for name, export in self._exports.items():
            if values[name] is not None:
                values[name] = export(values[name])
        for name, virtual in self._virtual.items():
            values[name] = virtual.read(values[virtual.field])
        return values


def _encoder(field: FieldSpec, dialect: Dialect, cipher: Cipher) -> Convert | None:
    if field.encrypted:
        return encrypting(field, cipher)
    make = TYPES[field.type].codec(dialect.name).encode
    return make(field) if make else None


def decoder(field: FieldSpec, dialect: Dialect, cipher: Cipher) -> Convert | None:
    """Makes the value of what a database stores; None where that is the value itself."""
    if field.encrypted:
        return decrypting(field, cipher)
    make = TYPES[field.type].codec(dialect.name).decode
    return make(field) if make else None


def exporter(field: FieldSpec) -> Convert | None:
    """Makes the facade's form of a value; None where that is the value itself."""
    item = TYPES[field.item.type].export if field.type == "list" else None
    return TYPES[field.type].export if item is None else lambda values: list(map(item, values))


class KeyCodec:
    """The primary key as callers give it (a value, a tuple, text) and as the runtime uses it: a tuple of values."""

    def __init__(self, spec: EntitySpec) -> None:
        self._spec = spec
        self._fields = spec.key_fields
        self._others = _other_ways(spec)
        self._validators = tuple(field.adapter.validator.validate_python for field in self._fields)

    def values(self, key: Any, operation: str) -> tuple[Any, ...]:
        """The parts of a typed key.

        Raises:
            ValidationFailedError: it is not a key of this entity.
        """
        parts = (key,) if len(self._fields) == 1 else key
        if not isinstance(parts, tuple) or len(parts) != len(self._fields):
            raise self._refuse(f"it has {len(self._fields)} parts", operation)
        try:
            return tuple([validate(part) for validate, part in zip(self._validators, parts)])  # noqa: B905 - just checked
        except ValidationError as error:
            raise self._refuse(reason(error.errors(include_input=False, include_url=False)[0]), operation) from None

    def parse(self, text: str, operation: str) -> tuple[Any, ...]:
        """The parts of a key that is given as text: percent-encoded, joined by commas, in key order.

        Raises:
            ValidationFailedError: it is not text, or not a key of this entity.
        """
        if not isinstance(text, str):
            raise self._refuse(f"an entity id is text, got {type(text).__name__}", operation)
        parts = [unquote(part) for part in text.split(",")] if len(self._fields) > 1 else [text]
        if len(parts) != len(self._fields):
            raise self._refuse(f"it has {len(self._fields)} parts, joined by commas", operation)
        given = tuple(_part(field, part) for field, part in zip(self._fields, parts, strict=True))
        return self.values(given[0] if len(given) == 1 else given, operation)

    def text(self, values: Iterable[Any]) -> str:
        """The key as events and the facade write it."""
        return key_text(values)

    def _refuse(self, problem: str, operation: str) -> ValidationFailedError:
        fields = ", ".join(f"{field.name} ({field.type})" for field in self._fields)
        return ValidationFailedError(
            f"not a key of {self._spec.entity_type}: {problem}",
            f"Pass the primary key: {fields}.",
            *self._others,
            entity_type=self._spec.entity_type,
            operation=operation,
            field=self._fields[0].name,
        )


def key_text(values: Iterable[Any]) -> str:
    """A key as text: its parts, percent-encoded where there are several, joined by commas."""
    parts = [str(value) for value in values]
    return parts[0] if len(parts) == 1 else ",".join(quote(part, safe="") for part in parts)


def _other_ways(spec: EntitySpec) -> list[str]:
    """Advice for who has something else that is unique; the generated methods are called so."""
    methods = ["get_by_" + "_and_".join(group) for group in spec.lookups if group != spec.key]
    return (
        [f"For another unique value, call {' or '.join(dict.fromkeys(methods))} of the typed repository."]
        if methods
        else []
    )


def _part(field: FieldSpec, text: str) -> Any:
    """The value that `KeyCodec.text` wrote; text that cannot be one is left for the field's own rule to refuse."""
    if field.type == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if field.type == "boolean":
        return {"True": True, "False": False}.get(text, text)
    return text
