"""What a revision will look at first, read from its file: rows that it refuses, and what is lost with it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from soulspot_db.language.python_source import parsed

__all__ = ["losses_of", "refusals_of"]


def losses_of(path: Path, dialect: str | None = None) -> Iterator[tuple[str, str]]:
    """What a revision's upgrade says that it loses, in words, and the SELECT that finds it; nothing of it is run.

    Args:
        path: the revision's file.
        dialect: the database on which it is lost; default: any.
    """
    return _looks_of(path, "loses", dialect)


def refusals_of(path: Path, dialect: str) -> Iterator[tuple[str, str]]:
    """The rows that a revision's upgrade refuses, otherwise as `losses_of`."""
    return _looks_of(path, "refuse", dialect)


def _looks_of(path: Path, kind: str, dialect: str | None) -> Iterator[tuple[str, str]]:
    functions = [node for node in parsed(path.read_bytes()).body if isinstance(node, ast.FunctionDef)]
    for node in (inner for function in functions if function.name == "upgrade" for inner in ast.walk(function)):
        match node:
            case ast.Call(
                func=ast.Attribute(attr=attr),
                args=[ast.Constant(value=str(what)), ast.Constant(value=str(rows))],
                keywords=keywords,
            ) if attr == kind:
                only = [of.value.value for of in keywords if isinstance(of.value, ast.Constant)]
                if dialect is None or not only or dialect in only:
                    yield what, rows
