"""`soulspot-db init`."""

from pathlib import Path

import click

from soulspot_db_codegen.commands.shared import complaints
from soulspot_db_codegen.scaffold import plan_scaffold
from soulspot_db_codegen.writer import apply

__all__ = ["init"]


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.option(
    "--package",
    metavar="NAME",
    help="The application's package; the generated one is called NAME_entities. Default: made of the project's name.",
)
@click.option("--module", metavar="NAME", default="library", show_default=True, help="The first module.")
def init(*, folder: Path, package: str | None, module: str) -> None:
    """Make a new project, with one entity and a module that uses it.

    Works in an empty folder and in one that has a project; what is there is never changed, but for pyproject.toml, which
    is added to.
    """
    with complaints():
        scaffold = plan_scaffold(folder.absolute(), package, module)
        folder.mkdir(parents=True, exist_ok=True)
        apply(folder, scaffold.changes)
    for change in scaffold.changes:
        click.echo(f"{change.verb} {change.path}")
    for path in scaffold.kept:
        click.echo(f"keep {path}")
    if scaffold.to_add:
        click.echo(f"\nimport-linter is set up already; add this contract to it:\n\n{scaffold.to_add}", nl=False)
    click.echo("\nnext:")
    commands = scaffold.commands if folder.resolve() == Path.cwd() else [f"cd {folder}", *scaffold.commands]
    for command in commands:
        click.echo(f"    {command}")
