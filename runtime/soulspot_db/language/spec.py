"""One entity document, checked and made explicit: keys found, names given, defaults and references understood."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from immutabledict import immutabledict

from soulspot_db.language.document import CacheDocument, EntityDocument
from soulspot_db.language.exclusive import check_exclusive
from soulspot_db.language.field import FieldSpec, Problem, resolve_field
from soulspot_db.language.filters import parse_constraint
from soulspot_db.language.guards import resolve_guards
from soulspot_db.language.indexes import IndexSpec, resolve_indexes
from soulspot_db.language.mistakes import mistakes
from soulspot_db.language.nearest import nearest
from soulspot_db.language.predicates import Predicate
from soulspot_db.language.queries import QuerySpec, resolve_queries
from soulspot_db.language.relations import Find, RelationSpec
from soulspot_db.language.sql_queries import resolve_sql_query
from soulspot_db.language.sql_query import Analyse
from soulspot_db.language.virtual import VirtualId
from soulspot_db.language.virtual_fields import resolve_virtual
from soulspot_db.language.visibility import check_hiding

__all__ = ["EntitySpec", "resolve", "with_queries"]

_COLUMNS_OF_POSTGRESQL = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})


@dataclass(frozen=True)
class EntitySpec:
    """One entity with everything decided; relations, queries and guards once others are known."""

    entity_type: str
    table_name: str
    description: str | None
    fields: Mapping[str, FieldSpec]
    key: tuple[str, ...]
    natural_key: str | None
    indexes: tuple[IndexSpec, ...]
    checks: Mapping[str, Predicate]
    cache: CacheDocument | bool
    events: bool
    expires: str | None = None
    soft_delete: str | None = None
    relations: Mapping[str, RelationSpec] = immutabledict()
    queries: Mapping[str, QuerySpec] = immutabledict()
    guards: Mapping[str, Predicate] = immutabledict()
    virtual: Mapping[str, VirtualId] = immutabledict()
    """The fields that are not stored, by name."""

    @property
    def key_fields(self) -> tuple[FieldSpec, ...]:
        """The fields of the primary key, in its order."""
        return tuple(self.fields[name] for name in self.key)

    @cached_property
    def nullable(self) -> frozenset[str]:
        """The fields that may be null."""
        return frozenset(field.name for field in self.fields.values() if field.nullable)

    @cached_property
    def version(self) -> str | None:
        """The field that counts the changes of a row."""
        return next((field.name for field in self.fields.values() if field.version), None)

    @cached_property
    def exclusive(self) -> tuple[FieldSpec, ...]:
        """The flags that at most one row has."""
        return tuple(field for field in self.fields.values() if field.exclusive is not None)

    @property
    def unique_groups(self) -> tuple[tuple[str, ...], ...]:
        """The field groups, other than the key, by which at most one row is found."""
        single = [(field.name,) for field in self.fields.values() if field.unique]
        return (*single, *(index.fields for index in self.indexes if index.finds_one))

    @property
    def lookups(self) -> tuple[tuple[str, ...], ...]:
        """The unique groups, and the virtual fields that stand for a unique field."""
        groups = self.unique_groups
        return (*groups, *((name,) for name, virtual in self.virtual.items() if (virtual.field,) in groups))


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a filter needs to know of the entity while that is being resolved."""

    entity_type: str
    fields: Mapping[str, FieldSpec]
    virtual: Mapping[str, VirtualId] = immutabledict()


def resolve(document: EntityDocument) -> tuple[EntitySpec, list[Problem]]:
    """Decide everything about one entity.

    Returns:
        The entity and the problems found; where there are problems the entity must not be used.
    """
    problems: list[Problem] = []
    virtual_fields = {name: field for name, field in document.fields.items() if field.virtual is not None}
    stored = {name: field for name, field in document.fields.items() if field.virtual is None}
    document = document.model_copy(update={"fields": stored})
    key = _key(document, problems)
    fields = {name: resolve_field(name, field, key, problems) for name, field in document.fields.items()}
    _check_columns(fields, problems)
    _check_history(document, problems)
    _check_versions(fields, key, problems)
    _check_key_types(key, fields, problems)
    check_exclusive(fields, key, problems)
    virtual = resolve_virtual(virtual_fields, fields, problems)
    if document.soft_delete is not None:  # an index says what is unique, which knows of rows that are deleted
        fields = {name: replace(field, unique=field.unique and key == (name,)) for name, field in fields.items()}
    scope = _Scope(document.entity_type, fields)
    spec = EntitySpec(
        entity_type=document.entity_type,
        table_name=document.table_name,
        description=document.description,
        fields=fields,
        key=key,
        natural_key=_natural_key(document, fields, virtual, key, problems),
        indexes=resolve_indexes(document, scope, problems),
        checks=_checks(document, scope, problems),
        cache=document.cache,
        events=document.events,
        expires=document.expires,
        soft_delete=document.soft_delete,
        virtual=virtual,
    )
    check_hiding(spec, key, problems)
    return spec, problems


def with_queries(
    spec: EntitySpec, document: EntityDocument, find: Find | None, analyse: Analyse
) -> tuple[EntitySpec, list[Problem]]:
    """The entity with its named queries and its guards, for which other entities must be known.

    Args:
        spec: the entity.
        document: what its schema says.
        find: finds others by name; None where there are none yet.
        analyse: what a database says of queries in SQL.

    Returns:
        The entity and the problems found; where there are problems the entity must not be used.
    """
    problems: list[Problem] = []
    guards = resolve_guards(document.guards, spec, find, problems)
    spec = replace(spec, guards=guards)
    filters = {name: query for name, query in document.queries.items() if query.sql is None}
    found = resolve_queries(filters, spec, find, problems)
    for name in (name for name in document.queries if name not in filters):
        query = resolve_sql_query(name, document.queries[name], spec, analyse, problems)
        found |= {} if query is None else {name: query}
    queries = {name: found[name] for name in document.queries if name in found}
    return replace(spec, queries=queries), problems


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
        if fields[name].type in {"bytes", "float", "json", "list"}:
            message = f"a field of type {fields[name].type!r} cannot be a key"
            reason = "a key is also written as text" if fields[name].type == "bytes" else None
            hint = reason or "equal values must have one spelling"
            problems.append(Problem(("fields", name, "type"), message, hint))
        if fields[name].encrypted:
            message = "a key cannot be encrypted"
            problems.append(Problem(("fields", name, "encrypted"), message, "rows are found by their key"))


def _check_columns(fields: Mapping[str, FieldSpec], problems: list[Problem]) -> None:
    seen: dict[str, str] = {}
    for field in fields.values():
        if (other := seen.setdefault(field.column, field.name)) != field.name:
            message = f"column {field.column!r} is already the column of field {other!r}"
            problems.append(Problem(("fields", field.name), message))
        if field.column in _COLUMNS_OF_POSTGRESQL:
            message = f"column {field.column!r} is not possible: every table of PostgreSQL has one of that name"
            problems.append(Problem(("fields", field.name), message, "give it another name with 'column: ...'"))


def _check_history(document: EntityDocument, problems: list[Problem]) -> None:
    # Whether a rename has counted already, and its former name is free again, only the tables as they were can tell.
    columns = {field.column or name: name for name, field in document.fields.items()}
    seen: dict[str, str] = {}
    for name, field in document.fields.items():
        former = field.renamed_from
        if former is not None and (other := seen.setdefault(former, name)) != name:
            at = ("fields", name, "renamed_from")
            problems.append(Problem(at, f"{former!r} was renamed to {other!r} already", _COUNTED))
    for column in document.removed:
        place = ("removed", column)
        if column in columns:
            whose = f"the field {column!r}" if columns[column] == column else f"the column of {columns[column]!r}"
            hint = "remove one of the two; a tombstone that has counted may go"
            problems.append(Problem(place, f"{whose} is still there", hint))
        elif column in seen:
            problems.append(Problem(place, f"{column!r} was renamed to {seen[column]!r}, not removed", _COUNTED))


_COUNTED = "remove one of the two; a 'renamed_from' that has counted may go"


def _check_versions(fields: Mapping[str, FieldSpec], key: tuple[str, ...], problems: list[Problem]) -> None:
    counting = [field.name for field in fields.values() if field.version]
    for name in counting:
        if name in key or name != counting[0]:
            message = "a key is never changed" if name in key else f"{counting[0]!r} counts the changes already"
            problems.append(Problem(("fields", name, "version"), message))


def _checks(document: EntityDocument, scope: _Scope, problems: list[Problem]) -> dict[str, Predicate]:
    found: dict[str, Predicate] = {}
    for name, condition in document.checks.items():
        wrong = list(mistakes(condition, scope, parse_constraint))
        problems += [Problem(("checks", name, *place), str(mistake)) for place, mistake in wrong]
        if wrong:
            continue
        predicate = parse_constraint(condition, scope)
        if predicate is None:
            problems.append(Problem(("checks", name), "the check has no condition and holds for every row"))
        else:
            found[name] = predicate
    return found


def _natural_key(
    document: EntityDocument,
    fields: Mapping[str, FieldSpec],
    virtual: Mapping[str, VirtualId],
    key: tuple[str, ...],
    problems: list[Problem],
) -> str | None:
    uuid_key = len(key) == 1 and fields[key[0]].type == "uuid"
    name = document.natural_key
    if name is None:
        unique = [name for name, field in document.fields.items() if field.unique and field.type == "string"]
        return unique[0] if uuid_key and len(unique) == 1 else None
    at = ("natural_key",)
    known = virtual[name].field if name in virtual else name
    if known not in fields:
        problems.append(Problem(at, f"unknown field {name!r}", nearest(name, {*fields, *virtual})))
    elif not document.fields[known].unique or fields[known].type not in {"string", "text"}:
        hint = (
            "only text can be told from a key" if document.fields[known].unique else "add 'unique: true' to the field"
        )
        problems.append(Problem(at, f"field {name!r} is not a unique string", hint))
    elif not uuid_key:
        problems.append(Problem(at, "a natural key needs a uuid primary key", "otherwise the two could be mixed up"))
    return name
