"""Relations between entities: those that `references` make by themselves, and those that schemas name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from soulspot_db.language.document import RelationDocument
from soulspot_db.language.names import check_field_name
from soulspot_db.language.nearest import nearest
from soulspot_db.language.ordered import wrong_order
from soulspot_db.language.relations import RelationSpec, Through
from soulspot_db.language.spec import EntitySpec

from soulspot_db_codegen import naming
from soulspot_db_codegen.documents import Located
from soulspot_db_codegen.errors import Diagnostic

__all__ = ["resolve_relations"]


@dataclass(frozen=True, slots=True)
class _Reference:
    """A field of one entity that refers to another."""

    source: str
    field: str
    target: str


def resolve_relations(
    specs: Mapping[str, EntitySpec], located: Mapping[str, Located]
) -> tuple[dict[str, dict[str, RelationSpec]], list[Diagnostic]]:
    """The relations of each entity by its path, sorted by name, and what is wrong with those that are named."""
    references = [
        _Reference(path, field.name, field.references)
        for path, spec in sorted(specs.items())
        for field in spec.fields.values()
        if field.references is not None
    ]
    found, problems = {}, []
    for path in sorted(specs):
        entity = _Entity(path, specs, references, frozenset(located[path].document.queries))
        for name, document in located[path].document.relations.items():
            problem = entity.add(name, document)
            if problem is not None:
                problems.append(located[path].problem(("relations", name), *problem, at_key=True))
        for name in entity.add_others():
            message = f"the query {name!r} has the name of a relation, which would be left out"
            hint = "choose another name, or give the relation one: 'relations: {...: {...}}'"
            problems.append(located[path].problem(("queries", name), message, hint, at_key=True))
        found[path] = dict(sorted(entity.relations.items()))
    return found, problems


def _is_name(name: str) -> bool:
    try:
        check_field_name(name)
    except ValueError:
        return False
    return True


@dataclass
class _Entity:
    """One entity while its relations are found."""

    path: str
    specs: Mapping[str, EntitySpec]
    references: list[_Reference]
    queries: frozenset[str]
    relations: dict[str, RelationSpec] = field(default_factory=dict)
    used: set[_Reference] = field(default_factory=set)

    @property
    def spec(self) -> EntitySpec:
        return self.specs[self.path]

    def add(self, name: str, document: RelationDocument) -> tuple[str, str | None] | None:
        """Add a relation that the schema names; returns what is wrong with it."""
        if name in self._taken():
            return f"{name!r} is already the name of a field, a query or a method", "choose another name"
        if document.through is not None:
            return self._add_through(name, document)
        if document.position is not None:
            return "'position' goes with 'through'", "the entity in between says in which order the rows are"
        if document.entity is None:
            return self._add_own(name, document)
        if document.entity not in self.specs:
            return f"unknown entity {document.entity!r}", nearest(document.entity, self.specs)
        return self._add_theirs(name, document.entity, document.field)

    def add_others(self) -> list[str]:
        """Add the relations that nobody has named, where their names are free; returns those that are queries' names."""
        hidden = []
        ours = [each for each in self.references if each.source == self.path]
        theirs = [each for each in self.references if each.target == self.path]
        for each in ours:
            name = each.field.removesuffix("_id")
            if each in self.used or name == each.field or not _is_name(name):
                continue
            if name in self.queries:
                hidden.append(name)
            elif name not in self._taken() | self.relations.keys():
                self.relations[name] = self._to_one(name, each)
        for each in theirs:
            same = [other for other in theirs if other.source == each.source]
            plural = naming.plural(self.specs[each.source].entity_type)
            name = plural if len(same) == 1 else f"{plural}_by_{each.field.removesuffix('_id')}"
            if each in self.used:
                continue
            if name in self.queries:
                hidden.append(name)
            elif name not in self._taken() | self.relations.keys():
                self.relations[name] = self._to_many(name, each)
        return hidden

    def _add_own(self, name: str, document: RelationDocument) -> tuple[str, str | None] | None:
        ours = {each.field: each for each in self.references if each.source == self.path}
        if document.field not in ours:
            hint = nearest(document.field or "", ours) or "name a field with 'references', or an 'entity'"
            return f"{document.field!r} is no field that refers to another entity", hint
        self.used.add(ours[document.field])
        self.relations[name] = self._to_one(name, ours[document.field])
        return None

    def _add_theirs(self, name: str, entity: str, field_name: str | None) -> tuple[str, str | None] | None:
        theirs = [each for each in self.references if each.source == entity and each.target == self.path]
        chosen = [each for each in theirs if field_name in {None, each.field}]
        if len(chosen) != 1:
            hint = f"write 'field: ...', one of {', '.join(each.field for each in theirs)}" if theirs else None
            return f"{entity} has {len(chosen)} fields that this could be", hint
        self.used.add(chosen[0])
        self.relations[name] = self._to_many(name, chosen[0])
        return None

    def _add_through(self, name: str, document: RelationDocument) -> tuple[str, str | None] | None:
        through = document.through or ""
        if through not in self.specs:
            return f"unknown entity {through!r}", nearest(through, self.specs)
        links = [each for each in self.references if each.source == through]
        ours = [each for each in links if each.target == self.path and document.field in {None, each.field}]
        if len(ours) != 1:
            hint = "write 'field: ...' to name one" if ours else None
            return f"{through} has {len(ours)} fields that refer to this entity", hint
        theirs = [each for each in links if each != ours[0] and document.entity in {None, each.target}]
        if len(theirs) != 1:
            return f"{through} has {len(theirs)} fields that could lead further", "write 'entity: ...' to name where"
        target = self.specs[theirs[0].target]
        link = Through(self.specs[through].entity_type, ours[0].field, theirs[0].field, document.position)
        if link.position is not None and (wrong := self._wrong_order(name, link, self.specs[through])) is not None:
            return wrong
        key = target.key_fields[0].name
        self.relations[name] = RelationSpec(name, target.entity_type, self.spec.key[0], key, many=True, through=link)
        return None

    def _wrong_order(self, name: str, link: Through, between: EntitySpec) -> tuple[str, str | None] | None:
        taken = next((method for method in naming.ordered_methods(name) if method in self._taken()), None)
        if taken is not None:
            return (
                f"the method {taken!r} of the relation is already the name of a field or a query",
                "choose another name",
            )
        return next(wrong_order(link, between), None)

    def _to_one(self, name: str, each: _Reference) -> RelationSpec:
        target = self.specs[each.target]
        return RelationSpec(name, target.entity_type, each.field, target.key[0])

    def _to_many(self, name: str, each: _Reference) -> RelationSpec:
        return RelationSpec(name, self.specs[each.source].entity_type, self.spec.key[0], each.field, many=True)

    def _taken(self) -> set[str]:
        lookups = {"get_by_" + "_and_".join(group) for group in self.spec.lookups}
        return {
            *self.spec.fields,
            *self.spec.virtual,
            *naming.TAKEN_METHODS,
            *naming.TAKEN_RELATIONS,
            *self.queries,
            *lookups,
        }
