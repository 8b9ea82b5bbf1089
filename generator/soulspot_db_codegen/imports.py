"""Which imports the file of an entity needs, as final lines in the order of an import sorter."""

from collections.abc import Iterable, Mapping

from soulspot_db.language.document import CacheDocument
from soulspot_db.language.field import FieldSpec, Missing
from soulspot_db.language.spec import EntitySpec

from soulspot_db_codegen import ir, naming
from soulspot_db_codegen.field_code import is_key_type
from soulspot_db_codegen.layout import WIDTH, Brackets, layout, one_line
from soulspot_db_codegen.query_code import needs_unset

__all__ = ["id_imports", "import_line", "import_lines", "library_imports", "standard_imports"]


def import_line(module: str, names: list[str], indent: int = 0) -> str:
    """`from module import names`, sorted, opened where it does not fit."""
    ordered = tuple(sorted(names, key=naming.import_order))
    line = f"from {module} import {', '.join(ordered)}"
    return line if indent + len(line) <= WIDTH else layout(Brackets(f"from {module} import (", ordered, ")"), indent)


def import_lines(modules: Mapping[str, list[str]], indent: int = 0) -> str:
    """One import a module, sorted."""
    margin = "\n" + " " * indent
    return margin.join(import_line(module, modules[module], indent) for module in sorted(modules))


def standard_imports(spec: EntitySpec, fields: tuple[ir.Field, ...], queries: tuple[ir.Query, ...]) -> tuple[str, ...]:
    """From the standard library."""
    types: set[str | None] = set()
    for field, code in zip(spec.fields.values(), fields, strict=True):
        types |= _shown(field, code)
    shown = frozenset[str]().union(*(query.shown for query in queries))
    lines = {
        "import datetime as _dt": bool(types & {"date", "time", "datetime"}) or "_dt" in shown,
        "from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence": True,
        "from decimal import Decimal": "decimal" in types or "Decimal" in shown,
        import_line(
            "typing",
            ["Annotated", "ClassVar", "Literal", "TypeAlias", "TypedDict", *_any(spec), *_rows(spec), *_related(spec)],
        ): True,
        "from uuid import UUID": "uuid" in types or "UUID" in shown,
    }
    return tuple(line for line, needed in lines.items() if needed)


def _shown(field: FieldSpec, code: ir.Field) -> set[str | None]:
    # A key is shown by its own name, unless a literal is turned into one.
    hidden = is_key_type(field, code.stored.removesuffix(" | None")) and field.default in (Missing, None)
    return set() if hidden else {field.type, field.items}


def _any(spec: EntitySpec) -> list[str]:
    return ["Any"] if isinstance(spec.cache, CacheDocument) else []


def _rows(spec: EntitySpec) -> list[str]:
    return ["NamedTuple"] if any(query.verb == "rows" for query in spec.queries.values()) else []


def _related(spec: EntitySpec) -> list[str]:
    return ["TYPE_CHECKING"] if any(each.entity != spec.entity_type for each in spec.relations.values()) else []


def id_imports(specs: Iterable[EntitySpec]) -> tuple[str, ...]:
    """From the standard library, for the module of the key types of all entities."""
    keys = [spec.key_fields for spec in specs]
    plain = {field.type for key in keys for field in key if len(key) == 1 or field.references is None}
    typing = {"NewType" if len(key) == 1 else "NamedTuple" for key in keys}
    typing |= {"Literal"} if "enum" in plain else set()
    lines = {
        "import datetime as _dt": bool(plain & {"date", "time", "datetime"}),
        "from decimal import Decimal": "decimal" in plain,
        import_line("typing", [*typing]): True,
        "from uuid import UUID": "uuid" in plain,
    }
    return tuple(line for line, needed in lines.items() if needed)


def library_imports(
    spec: EntitySpec, fields: tuple[ir.Field, ...], queries: tuple[ir.Query, ...], *, has_indexes: bool
) -> tuple[str, ...]:
    """From what is installed; `has_indexes` where the schema lists any."""
    public = ["Entity", "EntitySchema", "Page", "Repository", "ddl"]
    public += [] if spec.virtual else ["EntityCreate", "EntityUpdate"]
    replaced = [spec.fields[virtual.field] for virtual in spec.virtual.values()]
    public += (
        ["UNSET"]
        if any(field.required for field in replaced) or any(not field.is_fixed for field in fields) or needs_unset(spec)
        else []
    )
    public += ["Included", "Relative"] if spec.relations else []
    typing = {"FieldDocuments", *(one_line(field.filter).partition("[")[0] for field in fields)}
    typing |= {"IndexDocuments"} if has_indexes else set()
    typing |= {"CheckDocuments"} if spec.checks or spec.guards else set()
    typing |= {"QueryDocuments"} if spec.queries else set()
    typing |= {"RelatedFilter", "RelationDocuments"} if spec.relations else set()
    typing |= {"SqlAnalyses"} if any(query.sql for query in spec.queries.values()) else set()
    typing |= {"VirtualFilter"} if spec.virtual else set()
    typing |= {"Json", "JsonInput"} if any(field.type == "json" for field in spec.fields.values()) else set()
    typing |= frozenset[str]().union(*(query.shown for query in queries)) & {"Json", "JsonInput"}
    made = any(field.made for field in spec.fields.values())
    lines = {
        "import sqlalchemy as sa": True,
        "from pydantic import Field": made or bool(spec.virtual) or any(map(_is_limited, spec.fields.values())),
        import_line("soulspot_db", public): True,
        "from soulspot_db import defaults as _defaults": made,
        "from soulspot_db import prints as _prints": any(query.hidden for query in queries),
        "from soulspot_db import rules as _rules": True,
        "from soulspot_db import virtual as _virtual": bool(spec.virtual),
        import_line("soulspot_db.typing", [*typing]): True,
    }
    return tuple(line for line, needed in lines.items() if needed)


def _is_limited(field: FieldSpec) -> bool:
    limits = (field.max_length, field.pattern, field.minimum, field.maximum)
    return field.sensitive or field.type == "json" or any(limit is not None for limit in limits)
