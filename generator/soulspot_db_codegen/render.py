"""Jinja2 set up so that templates only print: undefined names fail, and prose and values pass through one door each."""

import os
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, PackageLoader, StrictUndefined

from soulspot_db_codegen import naming
from soulspot_db_codegen.imports import import_line, import_lines
from soulspot_db_codegen.layout import (
    WIDTH,
    Brackets,
    Expression,
    Union,
    call,
    declared,
    layout,
    literal,
    one_line,
    prefixed,
    subscript,
    suffixed,
    union,
)
from soulspot_db_codegen.revision_code import body, imports_of
from soulspot_db_codegen.table_code import table_indexes, table_items

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
        bytecode_cache=_bytecode_cache(),
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
        "body": body,
        "bare_union": lambda before, items, after: Union(before, tuple(items), after, is_bare=True),
        "call": call,
        "import_lines": import_lines,
        "imports_of": imports_of,
        "imported": import_line,
        "mapping": mapping,
        "signature": signature,
        "subscript": subscript,
        "table_indexes": table_indexes,
        "table_items": table_items,
        "union": union,
    }
    return environment


def _bytecode_cache() -> FileSystemBytecodeCache | None:
    """Where compiled templates are kept from run to run, as Python keeps its own; compiling them is a sixth of a check."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "soulspot-db")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        # A machine without a home, such as CI may be: it compiles them each time.
        return None
    return FileSystemBytecodeCache(str(folder)) if os.access(folder, os.W_OK) else None


def docstring(text: str, indent: int = 0) -> str:
    """Prose as a docstring, quotes included, wrapped to the width and closed by a full stop."""
    prose = " ".join(text.split())
    prose = prose if prose.endswith((".", "?", "!")) else f"{prose}."
    safe = "".join(char if char.isprintable() else repr(char)[1:-1] for char in prose.replace("\\", "\\\\"))
    safe = safe.replace('"""', "'''")
    safe = f"\\{safe}" if safe.startswith('"') else safe
    lines = textwrap.wrap(safe, WIDTH - indent - 3, break_long_words=False, break_on_hyphens=False)
    if len(lines) == 1:
        return f'"""{safe}"""'
    margin = "\n" + " " * indent
    return '"""' + margin.join(lines) + f'{margin}"""'


def signature(name: str, parameters: list[Expression], returns: str, prefix: str = "async ") -> str:
    """The first lines of a method."""
    return layout(Brackets(f"{prefix}def {name}(", ("self", *parameters), f") -> {returns}:"), 4)


def mapping(names: dict[str, str]) -> Expression:
    """`{"a": a, "b": b}`, to pass parameters on."""
    return Brackets("{", tuple(f"{one_line(literal(name))}: {value}" for name, value in names.items()), "}")
