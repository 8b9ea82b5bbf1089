"""What a command does, in one line, read from its source: importing it would cost what it imports."""

import ast
from importlib import util
from pathlib import Path

from soulspot_db.language.python_source import parsed

__all__ = ["summary"]


def summary(place: str) -> str:
    """The first line of a command's docstring.

    Args:
        place: `package.module:function`, as an entry point names it.

    Returns:
        The line, or nothing where there is no source to read.
    """
    module, _, function = place.partition(":")
    path = _source(module)
    try:
        tree = parsed(path.read_bytes()) if path else ast.Module([], [])
    except (OSError, SyntaxError):
        return ""  # the list of commands is shown all the same; calling this one says what is wrong
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == function:
            return (ast.get_docstring(statement) or "").partition("\n")[0]
    return ""


def _source(module: str) -> Path | None:
    # `find_spec` imports the packages above a module, so it is asked for the topmost alone.
    top, *below = module.split(".")
    try:
        spec = util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not below:
        return Path(spec.origin) if spec.origin else None
    files = (Path(place, *below[:-1], f"{below[-1]}.py") for place in spec.submodule_search_locations or ())
    return next((path for path in files if path.is_file()), None)
