"""Resolved entities to the IR: every name, type, import and order that the templates print."""

import keyword
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from soulspot_db.language.relations import RelationSpec
from soulspot_db.language.spec import EntitySpec

from soulspot_db_codegen import ir, naming
from soulspot_db_codegen.field_code import (
    field_code,
    key_part_code,
    key_type,
    key_types,
    scalar_code,
    virtual_code,
)
from soulspot_db_codegen.imports import id_imports, library_imports, standard_imports
from soulspot_db_codegen.layout import Expression, literal
from soulspot_db_codegen.query_code import query_code
from soulspot_db_codegen.resolver import Resolved, ResolvedEntity

__all__ = ["assemble"]


def assemble(resolved: Resolved, package: str) -> ir.Project:
    """The whole project, ready to print."""
    specs = {entity.path: entity.spec for entity in resolved.entities}
    others = _Others(
        target=specs.__getitem__,
        modules={entity.spec.entity_type: entity.module for entity in resolved.entities},
        keys=key_types(specs),
        hiding={spec.entity_type for spec in specs.values() if spec.soft_delete or spec.expires},
    )
    entities = tuple(_entity(entity, others) for entity in resolved.entities)
    parts = (
        _module(name, description, tuple(entity for entity in entities if entity.module == name))
        for name, description in sorted(resolved.modules.items())
    )
    return ir.Project(
        package=package,
        modules=tuple(module for module in parts if module.entities),
        entities=entities,
        id_imports=id_imports([entity.spec for entity in resolved.entities]),
    )


def _module(name: str, description: str | None, entities: tuple[ir.Entity, ...]) -> ir.Module:
    class_name = naming.pascal(name)
    exports = {f"{class_name}Repositories"}.union(*((entity.key, *entity.exports) for entity in entities))
    return ir.Module(
        name=name,
        class_name=class_name,
        description=naming.prose(description) or f"The entities of {naming.words(name)}.",
        entities=entities,
        exports=tuple(sorted(exports, key=naming.export_order)),
    )


@dataclass(frozen=True, slots=True)
class _Others:
    """What the file of one entity needs to know of all: their modules, the types of keys, and whose rows may be there and not be found."""

    target: Callable[[str], EntitySpec]
    modules: Mapping[str, str]
    keys: Mapping[int, str]
    hiding: Collection[str]


def _entity(entity: ResolvedEntity, others: _Others) -> ir.Entity:
    spec, target = entity.spec, others.target
    replaced = {virtual.field for virtual in spec.virtual.values()}
    fields = tuple(
        field_code(field, spec, target, has_virtual=field.name in replaced) for field in spec.fields.values()
    )
    stored = {field.name: field.stored for field in fields} | dict.fromkeys(spec.virtual, "str")
    composite = len(spec.key) > 1
    class_name = naming.pascal(spec.entity_type)
    enums = tuple(
        ir.Enum(naming.enum_class(spec.entity_type, field.name), field.name, field.values)
        for field in spec.fields.values()
        if field.values
    )
    key = key_type(spec)
    queries = tuple(query_code(query, spec, stored, others.keys) for query in spec.queries.values())
    return ir.Entity(
        source=entity.source.file,
        module=entity.module,
        name=spec.entity_type,
        words=naming.words(spec.entity_type),
        class_name=class_name,
        description=naming.prose(spec.description) or f"One {naming.words(spec.entity_type)}.",
        key=key,
        key_base=None if composite else scalar_code(spec.key_fields[0]),
        key_parts=tuple((field.name, key_part_code(field, target)) for field in spec.key_fields) if composite else (),
        key_name="key" if composite else naming.parameter(spec.key[0]),
        fields=fields,
        virtuals=tuple(virtual_code(name, entity.document.fields[name], spec) for name in spec.virtual),
        unique=tuple(dict.fromkeys(name for group in (spec.key, *spec.unique_groups, *spec.lookups) for name in group)),
        enums=enums,
        lookups=tuple(_lookups(spec, stored)),
        relations=tuple(_relations(spec, others)),
        queries=queries,
        ids=tuple(sorted({key, *_references(spec, target), *_selected(queries, others.keys)}, key=naming.import_order)),
        standard_imports=standard_imports(spec, fields, queries),
        library_imports=library_imports(spec, fields, queries, has_indexes=bool(entity.document.indexes)),
        keeps_deleted=spec.soft_delete is not None,
        expires=spec.expires is not None,
        schema=_schema(entity),
        table=entity.table,
        exports=_exports(spec, class_name, enums, queries),
    )


def _lookups(spec: EntitySpec, stored: Mapping[str, str]) -> Iterator[ir.Lookup]:
    groups = dict.fromkeys(group for group in spec.lookups if group != spec.key)
    for group in groups:
        # Null is equal to nothing, so nobody can ask for it.
        fields = tuple((name, naming.parameter(name), stored[name].removesuffix(" | None")) for name in group)
        yield ir.Lookup("get_by_" + "_and_".join(group), " and ".join(map(naming.words, group)), fields)


def _loaders(spec: EntitySpec) -> dict[str, str]:
    """The loader for several rows of each relation."""
    taken = {*naming.TAKEN_METHODS, *spec.queries, *spec.relations}
    found: dict[str, str] = {}
    for relation in spec.relations.values():
        plural = naming.plural(relation.name)
        is_free = not relation.many and plural not in taken and not keyword.iskeyword(plural)
        several = plural if is_free else f"{relation.name}_of"
        taken.add(several)
        found[relation.name] = several
    return found


def _relations(spec: EntitySpec, others: _Others) -> Iterator[ir.Relation]:
    loaders = _loaders(spec)
    for relation in spec.relations.values():
        yield ir.Relation(
            name=relation.name,
            several=loaders[relation.name],
            words=naming.words(relation.name),
            target=naming.pascal(relation.entity),
            module=f"{others.modules[relation.entity]}.{relation.entity}",
            many=relation.many,
            required=not relation.many
            and not spec.fields[relation.local].nullable
            and relation.entity not in others.hiding,
            ordered=_ordered(relation),
        )


def _ordered(relation: RelationSpec) -> str | None:
    has_order = relation.through is not None and relation.through.position is not None
    return f"{naming.pascal(relation.entity)}Id" if has_order else None


def _references(spec: EntitySpec, target: Callable[[str], EntitySpec]) -> Iterator[str]:
    for field in spec.fields.values():
        if field.references is not None and spec.key != (field.name,):
            yield key_type(target(field.references))
    yield from (name for relation in spec.relations.values() if (name := _ordered(relation)) is not None)


def _selected(queries: tuple[ir.Query, ...], keys: Mapping[int, str]) -> frozenset[str]:
    """The types of keys that queries select."""
    return frozenset[str]().union(*(query.shown for query in queries)).intersection(keys.values())


def _schema(entity: ResolvedEntity) -> dict[str, Expression]:
    spec, document = entity.spec, entity.document
    fields = {
        name: field.model_dump(exclude_unset=True, exclude={"description", "deprecated", "renamed_from", "backfill"})
        for name, field in document.fields.items()
    }
    lines: dict[str, Expression] = {
        "entity_type": literal(spec.entity_type),
        "table_name": literal(spec.table_name),
        "fields: ClassVar[FieldDocuments]": literal(fields),
    }
    lines |= _documents(entity)
    if document.primary_key:
        lines["primary_key"] = literal(tuple(document.primary_key))
    if spec.natural_key:
        lines["natural_key"] = literal(spec.natural_key)
    if spec.expires:
        lines["expires"] = literal(spec.expires)
    if spec.soft_delete:
        lines["soft_delete"] = literal(spec.soft_delete)
    if not spec.events:
        lines["events"] = "False"
    if spec.cache is not True:
        if spec.cache is False:
            lines["cache"] = "False"
        else:
            lines["cache: ClassVar[bool | dict[str, Any]]"] = literal(spec.cache.model_dump(exclude_unset=True))
    if entity.cascades:
        lines["cascades"] = literal(entity.cascades)
    return lines


def _documents(entity: ResolvedEntity) -> dict[str, Expression]:
    """The parts that are written as the schema says them."""
    spec, document = entity.spec, entity.document
    lines: dict[str, Expression] = {}
    if document.indexes:
        indexes = tuple(index.model_dump(exclude_unset=True) for index in document.indexes)
        lines["indexes: ClassVar[IndexDocuments]"] = literal(indexes)
    if document.checks:
        lines["checks: ClassVar[CheckDocuments]"] = literal(document.checks)
    if document.guards:
        lines["guards: ClassVar[CheckDocuments]"] = literal(document.guards)
    if spec.relations:
        loaders = _loaders(spec)
        relations = {
            name: replace(relation, several=loaders[name]).as_given() for name, relation in spec.relations.items()
        }
        lines["relations: ClassVar[RelationDocuments]"] = literal(relations)
    if document.queries:
        queries = {
            name: query.model_dump(exclude_unset=True, exclude={"description", "full_scan"})
            for name, query in document.queries.items()
        }
        lines["queries: ClassVar[QueryDocuments]"] = literal(queries)
    analyses = {name: query.sql.analysis.as_given() for name, query in spec.queries.items() if query.sql is not None}
    if analyses:
        lines["sql: ClassVar[SqlAnalyses]"] = literal(analyses)
    return lines


def _exports(
    spec: EntitySpec, class_name: str, enums: tuple[ir.Enum, ...], queries: tuple[ir.Query, ...]
) -> tuple[str, ...]:
    suffixes = ("", "Create", "Created", "Deleted", "Filter", "Order", "Repository", "Schema", "Update", "Updated")
    names = [class_name + suffix for suffix in suffixes] + [enum.name for enum in enums]
    names += [query.row for query in queries if query.row]
    names += [class_name + suffix for suffix in ("Included", "Relation") if spec.relations]
    return tuple(sorted(names, key=naming.export_order))
