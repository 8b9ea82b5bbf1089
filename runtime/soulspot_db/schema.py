"""A schema class, checked once and made complete: what it leaves out is made from its fields."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any, Optional

import sqlalchemy as sa
from pydantic import Field, ValidationError, create_model

from soulspot_db.defaults import MAKERS
from soulspot_db.entity import UNSET, Entity, EntityCreate, EntitySchema, EntityUpdate
from soulspot_db.errors import SchemaInvalidError
from soulspot_db.language import rules
from soulspot_db.language.document import EntityDocument
from soulspot_db.language.field import FieldSpec, Missing, input_rule
from soulspot_db.language.nearest import nearest
from soulspot_db.language.relations import Find, RelationSpec
from soulspot_db.language.spec import EntitySpec, resolve, with_queries
from soulspot_db.language.sql_query import SqlAnalysis, Statements
from soulspot_db.language.sql_statement import SqlError
from soulspot_db.language.table import describe
from soulspot_db.language.types import python_type
from soulspot_db.language.virtual import VirtualId
from soulspot_db.sql.tables import make_table
from soulspot_db.virtual import VirtualCreate, VirtualUpdate

__all__ = ["ResolvedSchema", "resolved"]


@dataclass(frozen=True)
class ResolvedSchema:
    """What the runtime works with instead of the class that was registered."""

    source: type[EntitySchema]
    document: EntityDocument
    spec: EntitySpec

    def complete_spec(self, find: Find | None) -> EntitySpec:
        """The entity with its named queries, which may look at the entities that `find` finds.

        Raises:
            SchemaInvalidError: a query contradicts the language or the entities.
        """
        spec, problems = with_queries(self.spec, self.document, find, self._analysis)
        if problems:
            raise _invalid(self.source, [f"{'.'.join(map(str, p.path))}: {p.message}" for p in problems])
        return spec

    def _analysis(self, name: str, _statements: Statements) -> SqlAnalysis:
        try:
            return SqlAnalysis.of(self.source.sql[name])
        except (KeyError, TypeError):
            hint = "write the schema in YAML and run `soulspot-db generate`, which asks a database"
            raise SqlError(f"what the SQL does is not known; {hint}") from None

    @cached_property
    def model(self) -> type[Entity]:
        """The model of a stored row."""
        if self.source.model is not None:
            return self.source.model
        definitions: dict[str, Any] = {name: (_stored(field), ...) for name, field in self.spec.fields.items()}
        made = create_model(self._class_name, __base__=Entity, **definitions)
        for name, virtual in self.spec.virtual.items():
            setattr(made, name, _reader(virtual))
        return made

    @cached_property
    def create_model(self) -> type[EntityCreate]:
        """The model of what `save` takes."""
        if self.source.create_model is not None:
            return self.source.create_model
        definitions: dict[str, Any] = {name: _input(field) for name, field in self.spec.fields.items()}
        definitions |= {name: (_virtual(virtual), None) for name, virtual in self.spec.virtual.items()}
        base: type[EntityCreate] = VirtualCreate if self.spec.virtual else EntityCreate
        return create_model(self._class_name + "Create", __base__=base, **definitions)

    @cached_property
    def update_model(self) -> type[EntityUpdate]:
        """The model of what `update` takes."""
        if self.source.update_model is not None:
            return self.source.update_model
        fixed = {*self.spec.key, self.spec.soft_delete}
        fields = [field for field in self.spec.fields.values() if field.name not in fixed]
        definitions: dict[str, Any] = {field.name: (_rule(field), UNSET) for field in fields}
        definitions |= {
            name: (_virtual(virtual), UNSET)
            for name, virtual in self.spec.virtual.items()
            if virtual.field not in self.spec.key
        }
        base: type[EntityUpdate] = VirtualUpdate if self.spec.virtual else EntityUpdate
        return create_model(self._class_name + "Update", __base__=base, **definitions)

    @cached_property
    def table(self) -> sa.Table:
        """The table to compile statements from; one made here knows no foreign keys, which statements do not need."""
        return make_table(describe(self.spec, None), sa.MetaData()) if self.source.table is None else self.source.table

    @property
    def _class_name(self) -> str:
        return "".join(part.capitalize() for part in self.spec.entity_type.split("_"))


_resolved: dict[type[EntitySchema], ResolvedSchema] = {}


def resolved(schema: type[EntitySchema]) -> ResolvedSchema:
    """The complete form of a schema class.

    Raises:
        SchemaInvalidError: the schema contradicts the language or itself; all problems at once.
    """
    found = _resolved.get(schema)
    if found is None:
        document = _document(schema)
        spec, problems = resolve(document)
        if problems:
            raise _invalid(schema, [f"{'.'.join(map(str, p.path))}: {p.message}" for p in problems])
        relations = _relations(schema)
        found = ResolvedSchema(schema, document, replace(spec, relations=relations))
        if not relations:  # else others must be known, which may be registered later
            found.complete_spec(None)
        _resolved[schema] = found
    return found


def _relations(schema: type[EntitySchema]) -> Mapping[str, RelationSpec]:
    try:
        return {name: RelationSpec.of(name, given) for name, given in schema.relations.items()}
    except TypeError as error:
        raise _invalid(schema, [f"relations: {error}"]) from None


def _document(schema: type[EntitySchema]) -> EntityDocument:
    missing = [name for name in ("entity_type", "table_name", "fields") if not hasattr(schema, name)]
    wrong = [f"{name}: missing" for name in missing] + list(_misspelt(schema))
    if wrong:
        raise _invalid(schema, wrong)
    try:
        return EntityDocument.model_validate(
            {
                "entity_type": schema.entity_type,
                "table_name": schema.table_name,
                "description": schema.description,
                "fields": _plain(schema.fields),
                "indexes": [_plain(index) for index in schema.indexes],
                "checks": {name: dict(check) for name, check in schema.checks.items()},
                "guards": {name: _plain(guard) for name, guard in schema.guards.items()},
                "primary_key": list(schema.primary_key) if schema.primary_key else None,
                "queries": {name: _plain(query) for name, query in schema.queries.items()},
                "natural_key": schema.natural_key,
                "events": schema.events,
                "cache": schema.cache,
                "expires": schema.expires,
                "soft_delete": schema.soft_delete,
            }
        )
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        raise _invalid(schema, [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in found]) from None


def _misspelt(schema: type[EntitySchema]) -> Iterator[str]:
    """Attributes that nobody reads and that are nearly one that says something; others are the class's own affair."""
    known = {name for name in vars(EntitySchema) | EntitySchema.__annotations__ if not name.startswith("_")}
    for name in vars(schema):
        if not name.startswith("_") and name not in known and (hint := nearest(name, known)) is not None:
            yield f"{name}: unknown attribute; {hint}"


def _plain(value: Any) -> Any:
    """Any mapping as the dict that a strict document wants; what is none is left for the document to refuse."""
    return {name: _plain(item) for name, item in value.items()} if isinstance(value, Mapping) else value


def _invalid(schema: type[EntitySchema], problems: list[str]) -> SchemaInvalidError:
    name = getattr(schema, "entity_type", schema.__name__)
    return SchemaInvalidError(
        f"the schema of {name!r} is not valid: {'; '.join(problems)}",
        f"Correct the fields named above in class {schema.__module__}.{schema.__qualname__}.",
        "See docs/api.md for what a hand-written schema may say.",
        entity_type=name,
        operation="register",
        problems=problems,
    )


def _stored(field: FieldSpec) -> Any:
    kind = python_type(field)
    # A variable cannot stand in an `X | None`.
    return _hidden(field, Optional[kind] if field.nullable else kind)  # noqa: UP045


def _rule(field: FieldSpec) -> Any:
    return _hidden(field, Optional[input_rule(field)] if field.assigned else input_rule(field))  # noqa: UP045


def _virtual(virtual: VirtualId) -> Any:
    """The annotation of a virtual field: its value is checked as that of the stored field."""
    return Annotated[Annotated[str, rules.text] | None, Field(repr=False), virtual]


def _reader(virtual: VirtualId) -> property:
    return property(lambda row: virtual.read(getattr(row, virtual.field)))


def _hidden(field: FieldSpec, kind: Any) -> Any:
    """The annotation of a field whose value is left out of what a model prints as."""
    return Annotated[kind, Field(repr=False)] if field.sensitive else kind


def _input(field: FieldSpec) -> Any:
    if field.made:
        return (_rule(field), Field(default_factory=MAKERS[field.made]))
    if field.default is not Missing:
        return (_rule(field), Field(default=field.default, validate_default=True))
    return (_rule(field), None if field.nullable or field.assigned else ...)
