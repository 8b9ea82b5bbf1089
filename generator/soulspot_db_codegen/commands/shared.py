"""What the commands have in common: exit codes, the project's folder, and how problems are told."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from soulspot_db_codegen.errors import ConfigurationError, Diagnostic, SchemaError
from soulspot_db_codegen.migrations.revision import Revision
from soulspot_db_codegen.reports import report

__all__ = [
    "PROBLEMS",
    "USAGE",
    "complaints",
    "count",
    "project_option",
    "tell_advice",
    "tell_moved",
    "tell_problems",
    "tell_warnings",
]

PROBLEMS, USAGE = 1, 2
"""Exit codes: the schemas have problems, or something is not as it should be; the command was used wrongly."""

project_option: Callable[[Any], Any] = click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The project's folder; default: this one, or the nearest above it with a [tool.soulspot-db] section.",
)


@contextmanager
def complaints(form: str = "text") -> Iterator[None]:
    """Tell what goes wrong in the block, and end the program with the code that says whose turn it is."""
    try:
        yield
    except SchemaError as error:
        tell_problems(error.diagnostics, form)
        raise SystemExit(PROBLEMS) from None
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        raise SystemExit(USAGE) from None
    except OSError as error:
        click.echo(f"{error.filename}: {error.strerror}" if error.filename else str(error), err=True)
        raise SystemExit(PROBLEMS) from None


def tell_problems(diagnostics: Iterable[Diagnostic], form: str) -> None:
    """Print problems: as text for whoever watches, in any other form alone on stdout, for a program to read."""
    found = list(diagnostics)
    click.echo(report(found, form), err=form == "text")
    if form == "text":
        click.echo(f"{count(len(found), 'problem')}; nothing was written", err=True)


def tell_warnings(diagnostics: Iterable[Diagnostic]) -> None:
    """Print what is allowed, and what its author should know."""
    for item in diagnostics:
        click.echo(f"warning: {item}", err=True)


def tell_moved(paths: Iterable[str], *, err: bool = False) -> None:
    """Print the data revisions that follow others now."""
    for path in paths:
        click.echo(f"{path} now follows other revisions; read it once more", err=err)


def tell_advice(revision: Revision | None) -> None:
    """Print what the author of a revision should know before anybody runs it."""
    for advice in revision.advice if revision else ():
        click.echo(f"note: {advice}", err=True)


def count(number: int, noun: str) -> str:
    """`1 problem`, `2 problems`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
