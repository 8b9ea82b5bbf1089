"""One field of a document, checked and made explicit: defaults, limits and storage understood."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, Optional, TypeAlias

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic import Field as PydanticField

from soulspot_db.language.field_document import FieldDocument
from soulspot_db.language.nearest import nearest
from soulspot_db.language.reasons import first_reason
from soulspot_db.language.types import TYPES, rule

__all__ = [
    "ENCRYPTABLE",
    "INPUT_CONFIG",
    "FieldSpec",
    "Made",
    "Missing",
    "Problem",
    "input_rule",
    "limits",
    "resolve_field",
]

INPUT_CONFIG = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, regex_engine="python-re")
"""How input is checked; patterns are Python's, which is what their authors write."""

Missing: Final = type("Missing", (), {"__repr__": lambda _self: "Missing"})()
"""Stands for "no default", which differs from a default of None."""

ENCRYPTABLE: Final = ("string", "text", "json", "bytes")
"""The types whose values can be encrypted."""

Made: TypeAlias = Literal["now", "uuid4", "uuid7"]
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
    made: Made | None = None
    assigned: bool = False  # by the database: a single integer primary key
    touched: bool = False  # set to now on every update
    version: bool = False  # counted up on every update
    exclusive: tuple[str, ...] | None = None  # at most one row has true, of those with the same values of these fields
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
    sensitive: bool = False
    encrypted: bool = False  # which is sensitive as well
    deprecated: str | bool = False

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
        return _adapter(self.shape, limited=False)

    @cached_property
    def input_adapter(self) -> TypeAdapter[Any]:
        """Checks a value that is to be stored, null apart."""
        return _adapter(self.shape, limited=True)

    @property
    def shape(self) -> "FieldSpec":
        """What of a field decides which values it takes; many fields share one."""
        return FieldSpec(
            "",
            self.type,
            "",
            max_length=self.max_length,
            pattern=self.pattern,
            minimum=self.minimum,
            maximum=self.maximum,
            precision=self.precision,
            scale=self.scale,
            values=self.values,
            items=self.items,
        )


@lru_cache(maxsize=1024)  # building one takes longer than all else that is done for a field
def _adapter(shape: FieldSpec, *, limited: bool) -> TypeAdapter[Any]:
    return TypeAdapter(input_rule(shape) if limited else rule(shape), config=INPUT_CONFIG)


def limits(field: FieldSpec) -> dict[str, Any]:
    """Length, range and pattern of a field, as arguments of Pydantic's `Field`."""
    found = {
        "max_length": field.max_length,
        "pattern": field.pattern and rf"^(?:{field.pattern})\Z",
        "ge": field.minimum,
        "le": field.maximum,
    }
    return {name: value for name, value in found.items() if value is not None}


def input_rule(field: FieldSpec) -> Any:
    """The annotation that checks a value on its way into the database: type, length, range, pattern."""
    given = limits(field)
    checked = rule(field, PydanticField(**given)) if given else rule(field)
    return Optional[checked] if field.nullable else checked  # noqa: UP045 - a variable cannot stand in an `X | None`


def resolve_field(
    name: str,
    document: FieldDocument,
    key: tuple[str, ...],
    problems: list[Problem],
    within: tuple[str | int, ...] = ("fields",),
) -> FieldSpec:
    """Decide everything about one field of an entity whose primary key is `key`; what is wrong goes to `problems`."""
    at = (*within, name)
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
    elif document.version:
        default = 1
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
        version=document.version,
        exclusive=_exclusive(document),
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
        sensitive=document.sensitive or document.encrypted,
        encrypted=document.encrypted,
        deprecated=document.deprecated,
    )
    if len(problems) == before:  # else the values could not be checked
        _check_default(field, at, problems)
        if document.backfill is not None and document.backfill not in _MADE.get(document.type, ()):
            _check_value(field, "backfill", document.backfill, at, problems)
    return field


def _exclusive(document: FieldDocument) -> tuple[str, ...] | None:
    if isinstance(document.exclusive, list):
        return tuple(document.exclusive)
    return () if document.exclusive else None


def _check_keys(document: FieldDocument, at: tuple[str | int, ...], problems: list[Problem]) -> None:
    given = document.model_fields_set
    specific = frozenset().union(*(row.keys for row in TYPES.values()))
    for key in sorted(given & (specific - TYPES[document.type].keys)):
        takers = ", ".join(row.name for row in TYPES.values() if key in row.keys)
        problems.append(Problem((*at, key), f"{key!r} does not go with type {document.type!r}", f"it is for {takers}"))
    needed = TYPES[document.type].keys & {"precision", "scale", "values", "items"}
    problems.extend(Problem(at, f"type {document.type!r} needs {key!r}") for key in sorted(needed - given))
    _check_rules(document, at, problems)
    _check_encrypted(document, at, problems)
    _check_reference(document, at, problems)


def _check_rules(document: FieldDocument, at: tuple[str | int, ...], problems: list[Problem]) -> None:
    if document.type == "decimal" and (document.scale or 0) > (document.precision or 18):
        problems.append(Problem((*at, "scale"), "scale is larger than precision"))
    if document.values and len(set(document.values)) != len(document.values):
        problems.append(Problem((*at, "values"), "a value is named twice"))
    for position, value in enumerate(document.values or ()):
        if not value.isprintable() and any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value):
            problems.append(Problem((*at, "values", position), f"{value!r} cannot be stored"))
    if document.version and (document.type != "integer" or document.nullable or document.unique):
        message = "'version: true' is for an integer that is neither nullable nor unique"
        problems.append(Problem((*at, "version"), message))
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


def _check_limits(document: FieldDocument, at: tuple[str | int, ...], problems: list[Problem]) -> None:
    for key in ("minimum", "maximum"):
        limit = getattr(document, key)
        if document.type == "integer" and limit is not None and limit != int(limit):
            problems.append(Problem((*at, key), f"{key} of an integer is a whole number"))
    if document.minimum is not None and document.maximum is not None and document.minimum > document.maximum:
        problems.append(Problem((*at, "minimum"), "minimum is larger than maximum"))


def _check_encrypted(document: FieldDocument, at: tuple[str | int, ...], problems: list[Problem]) -> None:
    if not document.encrypted:
        return
    if document.type not in ENCRYPTABLE:
        hint = f"it is for {', '.join(ENCRYPTABLE)}"
        problems.append(Problem((*at, "encrypted"), f"'encrypted' does not go with type {document.type!r}", hint))
    problems += [
        Problem((*at, key), f"{key!r} does not go with 'encrypted'", _TOLD_APART)
        for key in ("unique", "index", "references")
        if getattr(document, key)
    ]
    if document.backfill is not None:
        # A migration has no keys: it could only write it in plain.
        hint = "let the field be 'nullable: true', and fill it in your program"
        problems.append(Problem((*at, "backfill"), "'backfill' does not go with 'encrypted'", hint))


_TOLD_APART = "each time a value is encrypted it becomes another one, so the database cannot compare it"


def _check_reference(document: FieldDocument, at: tuple[str | int, ...], problems: list[Problem]) -> None:
    if document.on_delete and document.references is None:
        problems.append(Problem((*at, "on_delete"), "'on_delete' needs 'references'"))
    if document.on_delete == "set_null" and not document.nullable:
        problems.append(Problem((*at, "on_delete"), "'set_null' needs 'nullable: true'"))


def _check_default(field: FieldSpec, at: tuple[str | int, ...], problems: list[Problem]) -> None:
    if field.default is Missing:
        return
    if field.default is None:
        if not field.nullable:
            problems.append(Problem((*at, "default"), "the default is null, but the field is not nullable"))
        return
    is_right = _check_value(field, "default", field.default, at, problems)
    if is_right and (field.type == "datetime" or (field.items == "datetime" and field.default)):
        message = "a literal default for a datetime is not supported by this version yet; use now"
        problems.append(Problem((*at, "default"), message))


def _check_value(field: FieldSpec, key: str, value: Any, at: tuple[str | int, ...], problems: list[Problem]) -> bool:
    """Whether a value that the document gives for `key` could be stored in the field."""
    if field.type == "bytes":
        problems.append(Problem((*at, key), f"{key!r} does not go with type 'bytes'", "a schema cannot spell bytes"))
        return False
    try:
        field.input_adapter.validate_python(value)
    except ValidationError as error:
        hint = nearest(str(value), {*field.values, *(_MADE.get(field.type, ()) if key == "default" else ())})
        problems.append(Problem((*at, key), f"{key} {value!r} does not fit: {first_reason(error)}", hint))
        return False
    return True
