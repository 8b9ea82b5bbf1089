"""`soulspot-db new entity` and `new revision`."""

from pathlib import Path

import click

from soulspot_db_codegen.commands.shared import complaints, project_option
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.new_entity import plan_entity
from soulspot_db_codegen.new_revision import plan_data_revision
from soulspot_db_codegen.writer import apply

__all__ = ["new"]


@click.group()
def new() -> None:
    """Write the schema of a new entity, or a revision that changes rows."""


@new.command()
@click.argument("name", metavar="MODULE/NAME")
@click.option(
    "--from",
    "place",
    metavar="PACKAGE.MODULE:CLASS",
    help="Write down this hand-written EntitySchema. Its module is imported, which runs its code.",
)
@project_option
def entity(*, name: str, place: str | None, project: Path) -> None:
    """Write schemas/MODULE/NAME.yaml: an example to change, or a class that was written by hand."""
    module, slash, entity_name = name.partition("/")
    if not slash:
        raise click.BadParameter(f"{name!r} is not MODULE/NAME, such as library/album", param_hint="MODULE/NAME")
    with complaints():
        configuration = load_configuration(project.absolute())
        changes = plan_entity(configuration, module, entity_name, place)
        apply(configuration.root, changes)
    for change in changes:
        click.echo(f"{change.verb} {change.path}")


@new.command()
@click.option(
    "--data", "name", metavar="NAME", required=True, help="Write a revision that changes rows, with this name."
)
@project_option
def revision(*, name: str, project: Path) -> None:
    """Write a revision that changes rows and no tables; what it does is yours to write.

    Afterwards run `soulspot-db generate`, which records it as you have written it, until it is committed.
    """
    with complaints():
        configuration = load_configuration(project.absolute())
        changes = plan_data_revision(configuration, name)
        apply(configuration.root, changes)
    for change in changes:
        click.echo(f"{change.verb} {change.path}")
    click.echo("fill it in, then run `soulspot-db generate`, which records it")
