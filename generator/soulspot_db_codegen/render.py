"""Jinja2 set up so that templates only print: undefined names fail, and prose and values pass through one door each."""

import textwrap
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from soulspot_db_codegen import naming
from soulspot_db_codegen.imports import import_line
from soulspot_db_codegen.layout import (
    WIDTH,
    Brackets,
    Expression,
    call,
    layout,
    literal,
    one_line,
    prefixed,
    subscript,
    suffixed,
)
from soulspot_db_codegen.table_code import index_columns, table_indexes, table_items

__all__ = ["render"]


def render(template: str, **context: Any) -> str:
    """The text of one output.

    Args:
        template: the name of the template, without `.jinja`.
        context: what it prints.
    """
    return _environment().get_template(f"{template}.jinja").render(**context)


@cache
def _environment() -> Environment:
    # Python and not HTML is made here: what escapes is `literal` and `docstring`.
    environment = Environment(
        loader=PackageLoader("soulspot_db_codegen"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "literal": literal,
        "docstring": docstring,
        "layout": layout,
        "one_line": one_line,
        "prefixed": prefixed,
        "suffixed": suffixed,
        "declared": declared,
        "import_order": lambda names: sorted(names, key=naming.import_order),
        "export_order": lambda names: sorted(names, key=naming.export_order),
    }
    environment.globals |= {
        "bracketed": lambda items: Brackets("[", tuple(items), "]"),
        "call": call,
        "imported": import_line,
        "index_columns": index_columns,
        "mapping": mapping,
        "signature": signature,
        "subscript": subscript,
        "table_indexes": table_indexes,
        "table_items": table_items,
    }
    return environment


def docstring(text: str, indent: int = 0) -> str:
    """Prose as a docstring, quotes included, wrapped to the width and closed by a full stop."""
    prose = " ".join(text.split())
    prose = prose if prose.endswith((".", "?", "!")) else f"{prose}."
    safe = "".join(char if char.isprintable() else repr(char)[1:-1] for char in prose.replace("\\", "\\\\"))
    safe = safe.replace('"""', "'''")
    if indent + len(safe) + 6 <= WIDTH:
        return f'"""{safe}"""'
    lines = textwrap.wrap(safe, WIDTH - indent - 3, break_long_words=False, break_on_hyphens=False)
    margin = "\n" + " " * indent
    return '"""' + margin.join(lines) + f'{margin}"""'


def signature(name: str, parameters: list[str], returns: str) -> str:
    """The first lines of an async method."""
    return layout(Brackets(f"async def {name}(", ("self", *parameters), f") -> {returns}:"), 4)


def declared(annotation: Expression, name: str, default: Expression | None) -> Expression:
    """`name: annotation = default`, as a class body declares a field."""
    return suffixed(prefixed(annotation, f"{name}: "), f" = {one_line(default)}" if default else "")


def mapping(names: list[str]) -> Expression:
    """`{"a": a, "b": b}`, to pass parameters on under their own names."""
    return Brackets("{", tuple(f"{one_line(literal(name))}: {name}" for name in names), "}")
