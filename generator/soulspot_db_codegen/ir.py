"""The project as the templates see it: final names, types, code and order. Nothing here is decided any more."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from soulspot_db.language.table import TableSpec

from soulspot_db_codegen.layout import Expression, literal, subscript

__all__ = ["Entity", "Enum", "Field", "Lookup", "Module", "Project", "Query", "Relation", "Virtual"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an entity.

    `stored` is the type of the value in a row, `given` the annotation that checks it on input, `default` the code
    behind its `=` on save or None if a value must be given, `filter` what it may be compared with, `orders` the texts
    that order by it. `is_fixed` fields cannot be updated.
    """

    name: str
    description: str | None
    stored: str
    row: Expression
    given: Expression
    default: Expression | None
    filter: Expression
    orders: tuple[str, ...]
    is_fixed: bool


@dataclass(frozen=True, slots=True)
class Virtual:
    """A field that is not stored: `field` without `prefix`, which may be given instead of it, as `given` checks.

    `is_fixed` where the field cannot be updated.
    """

    name: str
    description: str
    field: str
    prefix: str
    given: Expression
    orders: tuple[str, ...]
    is_fixed: bool


@dataclass(frozen=True, slots=True)
class Enum:
    """The alias that names the values of an enum field."""

    name: str
    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """A `get_by_` method: its name, and its fields, each with its parameter and its type."""

    method: str
    words: str
    fields: tuple[tuple[str, str, str], ...]

    @property
    def names(self) -> dict[str, str]:
        """The parameter of each field."""
        return {name: parameter for name, parameter, _ in self.fields}

    @property
    def parameters(self) -> list[str]:
        """The fields as typed parameters."""
        return [f"{parameter}: {kind}" for _, parameter, kind in self.fields]


@dataclass(frozen=True, slots=True)
class Relation:
    """The loaders of a relation: of one row and of several, to rows of `target`, whose file is `module`.

    `many` where there can be several; where there is one, `required` says that there always is. `ordered` is the type of their
    keys, where they have an order.
    """

    name: str
    several: str
    words: str
    target: str
    module: str
    many: bool
    required: bool
    ordered: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """A method for a named query: its parameters and type, the runtime's call, and the class of its rows with their fields, of which
    `hidden` ones are not printed.
    """

    method: str
    description: str
    parameters: tuple[str, ...]
    returns: str
    call: Expression
    row: str | None
    row_fields: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...]

    @property
    def shown(self) -> frozenset[str]:
        """Every name that its types are spelled with, and others."""
        text = " ".join([*self.parameters, self.returns, *(kind for _, kind in self.row_fields)])
        return frozenset(re.findall(r"\w+", text))


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity: everything in its generated file.

    `key` is the type of its key, `key_base` what that is made of, or None where it is a NamedTuple of `key_parts`;
    `key_name` is the parameter that takes it; `key_parts` are spelled as `ids.py` needs them. `unique` are the fields by which,
    alone or together, one row is found. `schema` holds the lines of its schema class.
    One that `keeps_deleted` rows, or `expires`, has methods for what is hidden.
    """

    source: str
    module: str
    name: str
    words: str
    class_name: str
    description: str
    key: str
    key_base: str | None
    key_parts: tuple[tuple[str, Expression], ...]
    key_name: str
    fields: tuple[Field, ...]
    virtuals: tuple[Virtual, ...]
    unique: tuple[str, ...]
    enums: tuple[Enum, ...]
    lookups: tuple[Lookup, ...]
    relations: tuple[Relation, ...]
    queries: tuple[Query, ...]
    ids: tuple[str, ...]
    standard_imports: tuple[str, ...]
    library_imports: tuple[str, ...]
    keeps_deleted: bool
    expires: bool
    schema: Mapping[str, Expression]
    table: TableSpec
    exports: tuple[str, ...]

    @property
    def related(self) -> dict[str, list[str]]:
        """What type checkers need of the files of related entities, by module and name."""
        found: dict[str, set[str]] = {}
        for relation in self.relations:
            names = {f"{relation.target}Filter", relation.target}
            found.setdefault(relation.module, set()).update(
                names | ({f"{relation.target}Order"} if relation.many else set())
            )
        found.pop(f"{self.module}.{self.name}", None)
        return {module: sorted(names) for module, names in sorted(found.items())}

    @property
    def orders(self) -> list[Expression]:
        """The texts that order by each field that has an order."""
        groups = [*(field.orders for field in self.fields), *(virtual.orders for virtual in self.virtuals)]
        return [subscript("Literal", *map(literal, orders)) for orders in groups if orders]


@dataclass(frozen=True, slots=True)
class Module:
    """A module: its entities, sorted."""

    name: str
    class_name: str
    description: str
    entities: tuple[Entity, ...]
    exports: tuple[str, ...]

    def imports(self, package: str) -> dict[str, list[str]]:
        """What each generated module behind this one provides."""
        ids = {f"{package}.ids": [entity.key for entity in self.entities]}
        return ids | {f"{package}.{self.name}.{entity.name}": [*entity.exports] for entity in self.entities}


@dataclass(frozen=True, slots=True)
class Project:
    """Everything: modules, and all entities, sorted; `id_imports` is what the module of the key types needs."""

    package: str
    modules: tuple[Module, ...]
    entities: tuple[Entity, ...]

    id_imports: tuple[str, ...]
