"""Which imports the file of an entity needs, as final lines in the order of an import sorter."""

from soulspot_db.language.spec import EntitySpec, FieldSpec

from soulspot_db_codegen import ir, naming
from soulspot_db_codegen.layout import WIDTH, Brackets, layout

__all__ = ["import_line", "library_imports", "standard_imports"]


def import_line(module: str, names: list[str], indent: int = 0) -> str:
    """`from module import names`, sorted, opened where it does not fit."""
    ordered = tuple(sorted(names, key=naming.import_order))
    line = f"from {module} import {', '.join(ordered)}"
    return line if indent + len(line) <= WIDTH else layout(Brackets(f"from {module} import (", ordered, ")"), indent)


def standard_imports(spec: EntitySpec, fields: tuple[ir.Field, ...]) -> tuple[str, ...]:
    """From the standard library."""
    types = {kind for field in spec.fields.values() for kind in (field.type, field.items)}
    plain_uuid = any("UUID" in field.stored or "UUID(" in str(field.default) for field in fields)
    lines = {
        "import datetime as _dt": bool(types & {"date", "time", "datetime"}),
        "from collections.abc import Sequence": True,
        "from decimal import Decimal": "decimal" in types,
        "from typing import Annotated, ClassVar, Literal, TypeAlias, TypedDict": True,
        "from uuid import UUID": plain_uuid,
    }
    return tuple(line for line, needed in lines.items() if needed)


def library_imports(spec: EntitySpec, fields: tuple[ir.Field, ...], *, has_indexes: bool) -> tuple[str, ...]:
    """From what is installed; `has_indexes` where the schema lists any."""
    public = ["Entity", "EntityCreate", "EntitySchema", "EntityUpdate", "Repository", "ddl"]
    public += ["UNSET"] if any(not field.is_key for field in fields) else []
    typing = {"FieldDocuments", *(field.filter.partition("[")[0] for field in fields)}
    typing |= {"IndexDocuments"} if has_indexes else set()
    made = any(field.made for field in spec.fields.values())
    lines = {
        "import sqlalchemy as sa": True,
        "from pydantic import Field": made or any(map(_is_limited, spec.fields.values())),
        import_line("soulspot_db", public): True,
        "from soulspot_db import defaults as _defaults": made,
        "from soulspot_db import rules as _rules": True,
        import_line("soulspot_db.typing", [*typing]): True,
    }
    return tuple(line for line, needed in lines.items() if needed)


def _is_limited(field: FieldSpec) -> bool:
    return any(limit is not None for limit in (field.max_length, field.pattern, field.minimum, field.maximum))
