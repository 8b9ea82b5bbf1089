"""Names that two things of a project would share: entity types, tables, indexes, checks, generated classes and methods."""

from collections.abc import Iterator, Mapping

from soulspot_db.language.indexes import constraint_name
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.table import checks

from soulspot_db_codegen import naming
from soulspot_db_codegen.documents import Documents, Located
from soulspot_db_codegen.errors import Diagnostic
from soulspot_db_codegen.query_code import row_class

__all__ = ["collisions", "query_collisions"]

Path = tuple[str | int, ...]


class _Owners:
    """Who has which name. Whoever comes second is told, unless only the first has written the name down."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, str], tuple[Located, Path, str]] = {}

    def claim(self, item: Located, kind: str, name: str, path: Path, purpose: str = "") -> Iterator[Diagnostic]:
        first, place, other = self._owners.setdefault((kind, name), (item, path, purpose))
        if (first.source.file, other) == (item.source.file, purpose):
            return
        told, at, owner = item, path, first
        if _is_written(first, place) and not _is_written(item, path):
            told, at, owner = first, place, item
        yield told.problem(at, f"{kind} {name!r} is already taken by {owner.source.file}", "choose another name")


def _is_written(item: Located, path: Path) -> bool:
    """Whether the file gives itself the name, and it does not follow from where the file lies."""
    return isinstance(item.merged.data.get(str(path[0])), str)


def collisions(documents: Documents, specs: Mapping[str, EntitySpec]) -> Iterator[Diagnostic]:
    """Everything that is named twice, or like something that generated code needs."""
    owners = _Owners()
    for item in documents.entities:
        document = item.document
        spec = specs[f"{item.source.module}.{document.entity_type}"]
        twice = list(owners.claim(item, "entity type", document.entity_type, ("entity_type",)))
        yield from twice
        # Tables and indexes share one namespace in both databases.
        yield from owners.claim(item, "table or index", document.table_name, ("table_name",))
        for name in _index_names(spec):
            yield from owners.claim(item, "table or index", name, ("indexes",), name)
        yield from _checks(item, spec)
        yield from _lookups(item, spec)
        if not twice:  # else each of its classes would be told too
            yield from _classes(item, spec, owners)


def query_collisions(specs: Mapping[str, EntitySpec], located: Mapping[str, Located]) -> Iterator[Diagnostic]:
    """Queries whose methods or classes others have; found once the queries are known."""
    owners = _Owners()
    classes = {name: path for path, spec in specs.items() for name in naming.entity_classes(spec.entity_type)}
    for path, spec in specs.items():
        item = located[path]
        yield from _queries(item, spec)
        for query in spec.queries.values():
            if query.verb == "rows":
                name, at = row_class(spec.entity_type, query.name), ("queries", query.name)
                yield from owners.claim(item, "the generated class", name, at, query.name)
                if name in classes:
                    message = f"the generated class {name!r} is already taken by {located[classes[name]].source.file}"
                    yield item.problem(at, message, "choose another name", at_key=True)


def _index_names(spec: EntitySpec) -> Iterator[str]:
    yield from (index.name for index in spec.indexes)
    for field in spec.fields.values():
        if field.unique and spec.key != (field.name,):
            yield constraint_name("uq", spec.table_name, field.column)


def _checks(item: Located, spec: EntitySpec) -> Iterator[Diagnostic]:
    table = spec.table_name
    own = {check["name"]: field.name for field in spec.fields.values() for check in checks(table, field)}
    for name in spec.checks:
        full_name = constraint_name("ck", table, name)
        if full_name in own:
            message = (
                f"the check {name!r} would be called {full_name!r}, as one that comes with field {own[full_name]!r}"
            )
            yield item.problem(("checks", name), message, "choose another name", at_key=True)


def _lookups(item: Located, spec: EntitySpec) -> Iterator[Diagnostic]:
    methods: dict[str, tuple[str, ...]] = {}
    for group in spec.lookups:
        name = "get_by_" + "_and_".join(group)
        if methods.setdefault(name, group) != group:
            message = f"{' and '.join(group)} and {' and '.join(methods[name])} would both make the method {name!r}"
            yield item.problem(("indexes",), message, "rename one of the fields")


def _queries(item: Located, spec: EntitySpec) -> Iterator[Diagnostic]:
    lookups = {"get_by_" + "_and_".join(group) for group in spec.lookups}
    for name in spec.queries:
        if name in naming.TAKEN_METHODS | lookups:
            message = f"a query cannot be named {name!r}: the repository has a method of this name"
            yield item.problem(("queries", name), message, "choose another name", at_key=True)


def _classes(item: Located, spec: EntitySpec, owners: _Owners) -> Iterator[Diagnostic]:
    kind = spec.entity_type
    names = naming.entity_classes(kind)
    taken = next((name for name in names if name in naming.TAKEN_CLASSES), None)
    if taken is not None:
        message = f"an entity cannot be named {kind!r}: generated code needs the class name {taken!r}"
        hint = "choose a more specific name, and keep the table's with 'table_name'"
        yield item.problem(("entity_type",), message, hint)
    for name in names:
        yield from owners.claim(item, "the generated class", name, ("entity_type",))
    for field in spec.fields.values():
        if not field.values:
            continue
        name, at = naming.enum_class(kind, field.name), ("fields", field.name)
        if name in naming.TAKEN_CLASSES:
            message = f"an enum cannot be named {field.name!r} here: generated code needs the name {name!r}"
            hint = f"rename the field and keep the database's name with 'column: {field.column}'"
            yield item.problem(at, message, hint, at_key=True)
        yield from owners.claim(item, "the generated class", name, at, field.name)
