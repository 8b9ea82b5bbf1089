"""`soulspot-db generate`."""

from pathlib import Path

import click

from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.errors import ConfigurationError, SchemaError
from soulspot_db_codegen.generate import changes_needed, refuse_foreign
from soulspot_db_codegen.writer import apply, unified_diff

__all__ = ["generate"]

_PROBLEMS, _USAGE = 1, 2


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 and show a diff if anything would change.")
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The project's folder; default: this one, or the nearest above it with a [tool.soulspot-db] section.",
)
def generate(*, check: bool, project: Path) -> None:
    """Turn the project's schemas into models, repositories and migrations."""
    try:
        configuration = load_configuration(project.absolute())
        changes = changes_needed(configuration)
        if check:
            for change in changes:
                click.echo(unified_diff(change), nl=False)
        else:
            refuse_foreign(changes)
            apply(configuration.root, changes)
    except SchemaError as error:
        click.echo(str(error), err=True)
        click.echo(f"{_count(len(error.diagnostics), 'problem')}; nothing was written", err=True)
        raise SystemExit(_PROBLEMS) from None
    except ConfigurationError as error:
        click.echo(str(error), err=True)
        raise SystemExit(_USAGE) from None
    for change in changes:
        click.echo(f"{'would ' if check else ''}{change.verb} {change.path}", err=check)
    if check and changes:
        click.echo(f"{_count(len(changes), 'file')} out of date; run `soulspot-db generate`", err=True)
        raise SystemExit(_PROBLEMS)
    if not changes:
        click.echo("everything is up to date")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
