"""Documents to resolved entities: everything that can be said only by looking at all of them together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter

from immutabledict import immutabledict
from soulspot_db.language.cascades import cascades
from soulspot_db.language.document import EntityDocument, RemovalDocument
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.nearest import nearest
from soulspot_db.language.spec import EntitySpec, resolve, with_queries
from soulspot_db.language.table import TableSpec, describe

from soulspot_db_codegen.collisions import collisions, query_collisions
from soulspot_db_codegen.documents import Documents, Located
from soulspot_db_codegen.errors import Diagnostic
from soulspot_db_codegen.explain.costly import costly_queries
from soulspot_db_codegen.loader import Source
from soulspot_db_codegen.relations import resolve_relations
from soulspot_db_codegen.sql_analysis import analyser
from soulspot_db_codegen.sql_database import SqlDatabase
from soulspot_db_codegen.unindexed import unindexed_references

__all__ = ["Resolved", "ResolvedEntity", "resolve_all"]


@dataclass(frozen=True, slots=True)
class ResolvedEntity:
    """One entity with its place in the project."""

    source: Source
    document: EntityDocument
    spec: EntitySpec
    table: TableSpec
    cascades: tuple[str, ...]

    @property
    def module(self) -> str:
        """The module's name."""
        return self.source.module

    @property
    def path(self) -> str:
        """`module.entity`, as `references` names it."""
        return f"{self.source.module}.{self.spec.entity_type}"


@dataclass(frozen=True, slots=True)
class Resolved:
    """A whole project without contradictions; entities sorted by module and name."""

    modules: Mapping[str, str | None]
    entities: tuple[ResolvedEntity, ...]
    removed: Mapping[str, RemovalDocument] = immutabledict()
    """The tombstones of entities, by `module/entity`."""
    warnings: tuple[Diagnostic, ...] = ()
    """What is allowed, and what its author should know."""

    @property
    def tables(self) -> Mapping[str, TableSpec]:
        """The tables, by `module/entity`."""
        return {f"{entity.module}/{entity.spec.entity_type}": entity.table for entity in self.entities}


def resolve_all(documents: Documents) -> tuple[Resolved, list[Diagnostic]]:
    """Decide everything.

    Returns:
        The project and the problems found; where there are problems the project must not be used.
    """
    problems: list[Diagnostic] = []
    specs: dict[str, EntitySpec] = {}
    located: dict[str, Located] = {}
    for item in documents.entities:
        spec, found = resolve(item.document)
        problems.extend(item.problem(problem.path, problem.message, problem.hint) for problem in found)
        path = f"{item.source.module}.{spec.entity_type}"
        specs.setdefault(path, spec)
        located.setdefault(path, item)
    problems.extend(collisions(documents, specs))
    problems.extend(_bad_keys(specs, located))
    removed = {
        f"{module}/{name}": tombstone
        for module, document in documents.modules.items()
        for name, tombstone in document.removed.items()
    }
    if not problems:
        gone = frozenset(path.replace("/", ".") for path in removed)
        problems.extend(_bad_references(specs, located, documents.unread, gone))
    if problems or documents.unread:
        return Resolved({}, ()), problems
    specs, problems = _complete(specs, located)
    if problems:
        return Resolved({}, ()), problems

    def target(reference: str) -> tuple[str, str]:
        return specs[reference].table_name, specs[reference].key_fields[0].column

    entities = tuple(
        ResolvedEntity(
            source=located[path].source,
            document=located[path].document,
            spec=specs[path],
            table=describe(specs[path], target),
            cascades=tuple(sorted(cascades([specs[path].entity_type], specs.values()))),
        )
        for path in sorted(specs)
    )
    modules = {name: module.description for name, module in documents.modules.items()}
    warnings = [
        *unindexed_references(specs, located),
        *costly_queries(specs, [entity.table for entity in entities], located),
    ]
    return Resolved(modules, entities, removed, tuple(sorted(warnings))), []


def _complete(
    specs: Mapping[str, EntitySpec], located: Mapping[str, Located]
) -> tuple[dict[str, EntitySpec], list[Diagnostic]]:
    """The entities with their relations and their queries, for which the others must be known."""
    relations, problems = resolve_relations(specs, located)
    known = {path: replace(spec, relations=relations[path]) for path, spec in specs.items()}
    by_type = {spec.entity_type: spec for spec in known.values()}
    complete = {}
    needs_tables = any(query.sql for item in located.values() for query in item.document.queries.values())
    with SqlDatabase.opened(known.values() if needs_tables else ()) as database:
        for path, spec in known.items():
            document = located[path].document
            analyse = analyser(spec, document, database)
            complete[path], found = with_queries(spec, document, by_type.__getitem__, analyse)
            problems += [located[path].problem(problem.path, problem.message, problem.hint) for problem in found]
    problems += query_collisions(complete, located)
    return complete, problems


def _bad_keys(specs: Mapping[str, EntitySpec], located: Mapping[str, Located]) -> Iterator[Diagnostic]:
    for path, spec in specs.items():
        for field in spec.key_fields:
            at = ("fields", field.name)
            if len(spec.key) == 1 and field.type in {"boolean", "enum"}:
                message = f"a field of type {field.type!r} cannot be the only key"
                yield located[path].problem((*at, "type"), message)
            if len(spec.key) > 1 and hasattr(tuple, field.name):
                message = (
                    f"{field.name!r} cannot be the name of a part of a key, which is a tuple and has such a method"
                )
                hint = f"rename the field and keep the database's name with 'column: {field.column}'"
                yield located[path].problem(at, message, hint, at_key=True)


def _bad_references(
    specs: Mapping[str, EntitySpec], located: Mapping[str, Located], unread: frozenset[str], removed: frozenset[str]
) -> Iterator[Diagnostic]:
    for path, spec in specs.items():
        for field in spec.fields.values():
            if field.references in unread:
                continue
            if field.references is None:
                continue
            if field.references in removed - specs.keys():
                message = (
                    f"the field {field.name!r} of {spec.entity_type!r} "
                    f"still refers to the removed entity {field.references!r}"
                )
                bury = f"'removed: {{{field.column}: {{data: discard, reason: ...}}}}' in this file"
                hint = f"let it refer to another entity, or remove it as well: {bury}"
                yield located[path].problem(("fields", field.name, "references"), message, hint)
            elif (wrong := _bad_reference(field, specs)) is not None:
                yield located[path].problem(("fields", field.name, "references"), *wrong)
    for cycle in _required_cycles(specs):
        first, name = cycle[0]
        shown = " -> ".join([*(path for path, _ in cycle), first])
        yield located[first].problem(
            ("fields", name, "references"),
            f"the references {shown} form a circle in which no row can be the first",
            "make one of these fields nullable",
        )


def _bad_reference(field: FieldSpec, specs: Mapping[str, EntitySpec]) -> tuple[str, str | None] | None:
    reference = field.references or ""
    other = specs.get(reference)
    if other is None:
        hint = "write 'module.entity'; where that one was removed or renamed, this field has to follow first"
        return f"unknown entity {reference!r}", nearest(reference, specs) or hint
    if len(other.key) != 1:
        return f"{reference} has a composite key, which one field cannot reference", None
    key = other.key_fields[0]
    if key.type != field.type:
        return f"the key of {reference} is of type {key.type!r}, this field of type {field.type!r}", None
    return None


def _required_cycles(specs: Mapping[str, EntitySpec]) -> Iterator[list[tuple[str, str]]]:
    """Circles of references none of which may be null, beginning at their first entity; each broken by one edge."""
    edges = {
        path: {
            field.references: field.name
            for field in reversed([*spec.fields.values()])
            if field.references in specs and field.references and not field.nullable
        }
        for path, spec in sorted(specs.items())
    }
    while (cycle := _cycle(edges)) is not None:
        start = cycle.index(min(cycle))
        turned = cycle[start:] + cycle[:start]
        steps = list(zip(turned, [*turned[1:], turned[0]], strict=True))
        yield [(path, edges[path][target]) for path, target in steps]
        # What else goes round is found without it; to name every circle would take time without end.
        path, target = steps[0]
        del edges[path][target]


def _cycle(edges: Mapping[str, Mapping[str, str]]) -> list[str] | None:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        # Its first is its last again, and each is referred to by the next.
        return found[:0:-1]
    return None
