"""Data revisions that cannot stand in the line: nobody has written them yet, or they do not say where they stand.

`new revision` leaves a mark in them, which fails wherever it is run.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping

from soulspot_db.language.history import constants_of, is_data, text_of
from soulspot_db.language.python_source import parsed

from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.errors import Diagnostic

__all__ = ["is_unwritten", "misplaced_revisions", "unwritten_revisions"]

_PLACE = ("revision", "schema_after")


def unwritten_revisions(configuration: Configuration) -> list[Diagnostic]:
    """What is wrong with the data revisions on the disk: each that is not written yet, or does not say where it stands."""
    folder = configuration.root / configuration.migrations / "versions"
    texts = {path.name: text_of(path.read_bytes()) for path in sorted(folder.glob("*.py"))}
    problems = list(misplaced_revisions(configuration.migrations, texts))
    for name in texts.keys() - {problem.file.rpartition("/")[2] for problem in problems}:
        if is_data(texts[name]) and (mark := _mark(texts[name])) is not None:
            message, hint = (
                "this data revision is not written yet",
                "say what becomes of the rows, then take this line out",
            )
            place = f"{configuration.migrations}/versions/{name}", mark.lineno, mark.col_offset + 1
            problems.append(Diagnostic(*place, message, hint))
    return sorted(problems, key=lambda problem: problem.file)


def misplaced_revisions(folder: str, texts: Mapping[str, str]) -> Iterator[Diagnostic]:
    """The data revisions that are not Python, or do not say their own id and which tables they leave.

    Args:
        folder: the migrations folder.
        texts: revisions, by their files' names.
    """
    for name, text in texts.items():
        if not is_data(text):
            continue
        file = f"{folder}/versions/{name}"
        try:
            parsed(text)
        except SyntaxError as error:
            yield Diagnostic(file, error.lineno or 1, error.offset or 1, f"this is not Python: {error.msg}")
            continue
        said = constants_of(text)
        for constant in _PLACE:
            if constant not in said:
                message = f'this revision does not say `{constant} = "..."`, which keeps its place in the line'
                hint = "write it as `new revision` wrote it; or write what the revision does into a new one"
                yield Diagnostic(file, _line_of(constant, text.splitlines()), 1, message, hint)


def _line_of(constant: str, lines: Iterable[str]) -> int:
    return next((number for number, line in enumerate(lines, 1) if line.startswith(constant)), 1)


def is_unwritten(text: str) -> bool:
    """Whether a revision fails whatever is in the database, so that nobody can have applied it."""
    try:
        return _mark(text) is not None
    except SyntaxError:
        return True


def _mark(text: str) -> ast.Raise | None:
    """The `raise NotImplementedError` among the statements of `upgrade` itself, which no condition can go around."""
    for function in parsed(text).body:
        if isinstance(function, ast.FunctionDef) and function.name == "upgrade":
            for statement in function.body:
                match statement:
                    case ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(ast.Name("NotImplementedError"))):
                        return statement
                    case _:
                        pass
    return None
