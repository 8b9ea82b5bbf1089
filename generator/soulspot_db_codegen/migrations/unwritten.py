"""Data revisions that nobody has written yet: `new revision` leaves a mark in them, which fails wherever it is run."""

import ast

from soulspot_db.language.history import is_data, text_of

from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.errors import Diagnostic

__all__ = ["is_unwritten", "unwritten_revisions"]

_HINT = "say what becomes of the rows, then take this line out"


def unwritten_revisions(configuration: Configuration) -> list[Diagnostic]:
    """What is wrong with the data revisions on the disk: each that is not written yet, or is not Python."""
    versions = f"{configuration.migrations}/versions"
    problems: list[Diagnostic] = []
    for path in sorted((configuration.root / versions).glob("*.py")):
        text = text_of(path.read_bytes())
        if not is_data(text):
            continue
        try:
            mark = _mark(text)
        except SyntaxError as error:
            place = error.lineno or 1, error.offset or 1
            problems.append(Diagnostic(f"{versions}/{path.name}", *place, f"this is not Python: {error.msg}"))
            continue
        if mark is not None:
            place = mark.lineno, mark.col_offset + 1
            message = "this data revision is not written yet"
            problems.append(Diagnostic(f"{versions}/{path.name}", *place, message, _HINT))
    return problems


def is_unwritten(text: str) -> bool:
    """Whether a revision fails whatever is in the database, so that nobody can have applied it."""
    try:
        return _mark(text) is not None
    except SyntaxError:
        return True


def _mark(text: str) -> ast.Raise | None:
    """The `raise NotImplementedError` among the statements of `upgrade` itself, which no condition can go around."""
    for function in ast.parse(text).body:
        if isinstance(function, ast.FunctionDef) and function.name == "upgrade":
            for statement in function.body:
                match statement:
                    case ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(ast.Name("NotImplementedError"))):
                        return statement
                    case _:
                        pass
    return None
