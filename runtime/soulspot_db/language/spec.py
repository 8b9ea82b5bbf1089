"""One entity document, checked and made explicit: keys found, names given, defaults and references understood."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, Optional

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic import Field as PydanticField

from soulspot_db.language.document import MAX_NAME, CacheDocument, EntityDocument, FieldDocument
from soulspot_db.language.nearest import nearest
from soulspot_db.language.types import TYPES, rule

__all__ = [
    "INPUT_CONFIG",
    "EntitySpec",
    "FieldSpec",
    "IndexSpec",
    "Missing",
    "Problem",
    "constraint_name",
    "input_rule",
    "resolve",
]

INPUT_CONFIG = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, regex_engine="python-re")
"""How input is checked; patterns are Python's, which is what their authors write."""

Missing: Final = type("Missing", (), {"__repr__": lambda _self: "Missing"})()
"""Stands for "no default", which differs from a default of None."""

_MADE = {"datetime": {"now"}, "uuid": {"uuid4", "uuid7"}}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a document, at `path` (keys from the top)."""

    path: tuple[str | int, ...]
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class FieldSpec:
    """One field with everything decided. `made` names a default that the runtime makes: now, uuid4 or uuid7."""

    name: str
    type: str
    column: str
    description: str | None = None
    nullable: bool = False
    unique: bool = False
    default: Any = Missing
    made: Literal["now", "uuid4", "uuid7"] | None = None
    assigned: bool = False  # by the database: a single integer primary key
    touched: bool = False  # set to now on every update
    max_length: int | None = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    precision: int | None = None
    scale: int | None = None
    values: tuple[str, ...] = ()
    items: str | None = None
    references: str | None = None
    on_delete: str = "restrict"

    @property
    def required(self) -> bool:
        """Whether a caller must give the value on save."""
        return not (self.nullable or self.assigned or self.made or self.default is not Missing)

    @cached_property
    def item(self) -> "FieldSpec":
        """The items of a list, as a field of their own."""
        return FieldSpec(self.name, self.items or "text", self.column)

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Checks a value given for this field in a filter or as a key."""
        return TypeAdapter(rule(self))


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """An index: its name, its fields in order, and which of them run downwards."""

    name: str
    fields: tuple[str, ...]
    descending: tuple[bool, ...]
    unique: bool


@dataclass(frozen=True)
class EntitySpec:
    """One entity with everything decided that can be decided without looking at others."""

    entity_type: str
    table_name: str
    description: str | None
    fields: Mapping[str, FieldSpec]
    key: tuple[str, ...]
    natural_key: str | None
    indexes: tuple[IndexSpec, ...]
    cache: CacheDocument | bool
    events: bool

    @property
    def key_fields(self) -> tuple[FieldSpec, ...]:
        """The fields of the primary key, in its order."""
        return tuple(self.fields[name] for name in self.key)

    @property
    def unique_groups(self) -> tuple[tuple[str, ...], ...]:
        """The field groups, other than the key, by which at most one row is found."""
        single = [(field.name,) for field in self.fields.values() if field.unique]
        return (*single, *(index.fields for index in self.indexes if index.unique))


def input_rule(field: FieldSpec) -> Any:
    """The annotation that checks a value on its way into the database: type, length, range, pattern."""
    limits: dict[str, Any] = {
        "max_length": field.max_length,
        "pattern": field.pattern and rf"^(?:{field.pattern})\Z",
        "ge": field.minimum,
        "le": field.maximum,
    }
    given = {key: value for key, value in limits.items() if value is not None}
    checked = rule(field, PydanticField(**given)) if given else rule(field)
    return Optional[checked] if field.nullable else checked  # noqa: UP045 - a variable cannot stand in an `X | None`


def resolve(document: EntityDocument) -> tuple[EntitySpec, list[Problem]]:
    """Decide everything about one entity.

    Returns:
        The entity and the problems found; where there are problems the entity must not be used.
    """
    problems: list[Problem] = []
    key = _key(document, problems)
    fields = {name: _field(name, field, key, problems) for name, field in document.fields.items()}
    _check_columns(fields, problems)
    _check_key_types(key, fields, problems)
    indexes = _indexes(document, problems)
    spec = EntitySpec(
        entity_type=document.entity_type,
        table_name=document.table_name,
        description=document.description,
        fields=fields,
        key=key,
        natural_key=_natural_key(document, fields, key, problems),
        indexes=indexes,
        cache=document.cache,
        events=document.events,
    )
    return spec, problems


def _key(document: EntityDocument, problems: list[Problem]) -> tuple[str, ...]:
    marked = tuple(name for name, field in document.fields.items() if field.primary_key)
    if document.primary_key is None:
        if len(marked) != 1:
            what = "no field is" if not marked else f"{len(marked)} fields are"
            hint = "mark one field with 'primary_key: true', or list them in 'primary_key: [...]' at the top"
            problems.append(Problem(("fields",), f"{what} the primary key", hint))
        return marked[:1]
    if marked:
        problems.append(Problem(("primary_key",), "the key is given both here and on a field", "keep one of the two"))
    for position, name in enumerate(document.primary_key):
        if name not in document.fields:
            found = Problem(("primary_key", position), f"unknown field {name!r}", nearest(name, document.fields))
            problems.append(found)
        elif document.fields[name].nullable:
            problems.append(Problem(("primary_key", position), f"field {name!r} of the key is nullable"))
    if len(set(document.primary_key)) != len(document.primary_key):
        problems.append(Problem(("primary_key",), "a field is named twice"))
    return tuple(name for name in document.primary_key if name in document.fields)


def _check_key_types(key: tuple[str, ...], fields: Mapping[str, FieldSpec], problems: list[Problem]) -> None:
    for name in key:
        if fields[name].type in {"float", "list"}:
            message = f"a field of type {fields[name].type!r} cannot be a key"
            problems.append(Problem(("fields", name, "type"), message, "equal values must have one spelling"))


def _field(name: str, document: FieldDocument, key: tuple[str, ...], problems: list[Problem]) -> FieldSpec:
    at = ("fields", name)
    before = len(problems)
    _check_keys(document, at, problems)
    single_key = key == (name,)
    if single_key and document.nullable:
        problems.append(Problem((*at, "nullable"), "a primary key cannot be nullable"))
    made: Any = None
    if isinstance(document.default, str) and document.default in _MADE.get(document.type, ()):
        made = document.default
    default: Any = Missing
    if "default" in document.model_fields_set and made is None:
        default = tuple(document.default) if isinstance(document.default, list) else document.default
    elif made is None and single_key and document.type == "uuid" and document.references is None:
        made = "uuid7"
    field = FieldSpec(
        name=name,
        type=document.type,
        column=document.column or name,
        description=document.description,
        nullable=document.nullable,
        unique=document.unique,
        default=default,
        made=made,
        assigned=single_key and document.type == "integer" and document.references is None and default is Missing,
        touched=document.on_update is not None,
        max_length=document.max_length,
        pattern=document.pattern,
        minimum=document.minimum,
        maximum=document.maximum,
        precision=document.precision,
        scale=document.scale,
        values=tuple(document.values or ()),
        items=document.items.type if document.items else None,
        references=document.references,
        on_delete=document.on_delete or "restrict",
    )
    if len(problems) == before:  # else the default could not be checked
        _check_default(field, at, problems)
    return field


def _check_keys(document: FieldDocument, at: tuple[str, ...], problems: list[Problem]) -> None:
    given = document.model_fields_set
    specific = frozenset().union(*(row.keys for row in TYPES.values()))
    for key in sorted(given & (specific - TYPES[document.type].keys)):
        takers = ", ".join(row.name for row in TYPES.values() if key in row.keys)
        problems.append(Problem((*at, key), f"{key!r} does not go with type {document.type!r}", f"it is for {takers}"))
    needed = TYPES[document.type].keys & {"precision", "scale", "values", "items"}
    problems.extend(Problem(at, f"type {document.type!r} needs {key!r}") for key in sorted(needed - given))
    _check_rules(document, at, problems)
    _check_reference(document, at, problems)


def _check_rules(document: FieldDocument, at: tuple[str, ...], problems: list[Problem]) -> None:
    if document.type == "decimal" and (document.scale or 0) > (document.precision or 18):
        problems.append(Problem((*at, "scale"), "scale is larger than precision"))
    if document.values and len(set(document.values)) != len(document.values):
        problems.append(Problem((*at, "values"), "a value is named twice"))
    for position, value in enumerate(document.values or ()):
        if not value.isprintable() and any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value):
            problems.append(Problem((*at, "values", position), f"{value!r} cannot be stored"))
    if document.on_update and document.type != "datetime":
        problems.append(Problem((*at, "on_update"), "'on_update: now' is for datetime fields"))
    _check_limits(document, at, problems)
    if document.pattern is not None:
        try:
            re.compile(document.pattern)
            re.compile(rf"^(?:{document.pattern})\Z")
        except (re.error, OverflowError, RecursionError) as error:
            hint = "write '(?i:...)' instead of '(?i)...'" if "global flags" in str(error) else None
            message = getattr(error, "msg", str(error))
            problems.append(Problem((*at, "pattern"), f"not a regular expression: {message}", hint))


def _check_limits(document: FieldDocument, at: tuple[str, ...], problems: list[Problem]) -> None:
    for key in ("minimum", "maximum"):
        limit = getattr(document, key)
        if document.type == "integer" and limit is not None and limit != int(limit):
            problems.append(Problem((*at, key), f"{key} of an integer is a whole number"))
    if document.minimum is not None and document.maximum is not None and document.minimum > document.maximum:
        problems.append(Problem((*at, "minimum"), "minimum is larger than maximum"))


def _check_reference(document: FieldDocument, at: tuple[str, ...], problems: list[Problem]) -> None:
    if document.on_delete and document.references is None:
        problems.append(Problem((*at, "on_delete"), "'on_delete' needs 'references'"))
    if document.on_delete == "set_null" and not document.nullable:
        problems.append(Problem((*at, "on_delete"), "'set_null' needs 'nullable: true'"))


def _check_default(field: FieldSpec, at: tuple[str, ...], problems: list[Problem]) -> None:
    if field.default is Missing:
        return
    if field.default is None:
        if not field.nullable:
            problems.append(Problem((*at, "default"), "the default is null, but the field is not nullable"))
        return
    try:
        TypeAdapter(input_rule(field), config=INPUT_CONFIG).validate_python(field.default)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        hint = nearest(str(field.default), {*field.values, *_MADE.get(field.type, ())})
        problems.append(Problem((*at, "default"), f"default {field.default!r} does not fit: {reason}", hint))
        return
    if field.type == "datetime" or (field.items == "datetime" and field.default):
        message = "a literal default for a datetime is not supported by this version yet; use now"
        problems.append(Problem((*at, "default"), message))


def _check_columns(fields: Mapping[str, FieldSpec], problems: list[Problem]) -> None:
    seen: dict[str, str] = {}
    for field in fields.values():
        if (other := seen.setdefault(field.column, field.name)) != field.name:
            message = f"column {field.column!r} is already the column of field {other!r}"
            problems.append(Problem(("fields", field.name), message))


def _indexes(document: EntityDocument, problems: list[Problem]) -> tuple[IndexSpec, ...]:
    fields = document.fields
    found = [
        IndexSpec(constraint_name("ix", document.table_name, name), (name,), (False,), unique=False)
        for name, field in fields.items()
        if field.index and not field.unique
    ]
    columns = (field.column or name for name, field in fields.items() if field.unique)
    unique = {constraint_name("uq", document.table_name, column) for column in columns}
    for number, index in enumerate(document.indexes):
        names, descending = [], []
        for position, text in enumerate(index.fields):
            name, _, direction = text.partition(" ")
            at = ("indexes", number, "fields", position)
            if name not in fields:
                problems.append(Problem(at, f"unknown field {name!r}", nearest(name, fields)))
            elif direction.lower() not in {"", "asc", "desc"}:
                problems.append(Problem(at, f"unknown direction {direction!r}", "write 'field', or 'field desc'"))
            names.append(name)
            descending.append(direction.lower() == "desc")
        prefix = "uq" if index.unique else "ix"
        name = index.name or constraint_name(prefix, document.table_name, *names)
        if len(set(names)) < len(names):
            problems.append(Problem(("indexes", number, "fields"), "a field is named twice"))
        if name in unique or any(other.name == name for other in found):
            problems.append(Problem(("indexes", number), f"the index {name!r} is declared twice"))
        found.append(IndexSpec(name, tuple(names), tuple(descending), index.unique))
    return tuple(found)


def constraint_name(prefix: str, table: str, *parts: str) -> str:
    """The name of an index or a constraint; one that is too long ends in a hash, so that no two are cut to the same."""
    name = "_".join((prefix, table, *parts))
    if len(name) <= MAX_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: MAX_NAME - 9]}_{digest}"


def _natural_key(
    document: EntityDocument, fields: Mapping[str, FieldSpec], key: tuple[str, ...], problems: list[Problem]
) -> str | None:
    uuid_key = len(key) == 1 and fields[key[0]].type == "uuid"
    name = document.natural_key
    if name is None:
        unique = [field.name for field in fields.values() if field.unique and field.type == "string"]
        return unique[0] if uuid_key and len(unique) == 1 else None
    at = ("natural_key",)
    if name not in fields:
        problems.append(Problem(at, f"unknown field {name!r}", nearest(name, fields)))
    elif not fields[name].unique or fields[name].type not in {"string", "text"}:
        hint = "only text can be told from a key" if fields[name].unique else "add 'unique: true' to the field"
        problems.append(Problem(at, f"field {name!r} is not a unique string", hint))
    elif not uuid_key:
        problems.append(Problem(at, "a natural key needs a uuid primary key", "otherwise the two could be mixed up"))
    return name
