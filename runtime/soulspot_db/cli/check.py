"""`soulspot-db check`."""

import asyncio
from pathlib import Path

import click

from soulspot_db.errors import DatabaseError
from soulspot_db.migrations.inspection import inspect_database
from soulspot_db.migrations.locate import locate_migrations
from soulspot_db.migrations.surroundings import settings_here

__all__ = ["check"]


@click.command()
@click.option("--database", "database", is_flag=True, help="Compare the database named by DATABASE with the schemas.")
@click.option(
    "--migrations",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The migrations folder; default: the project's, or the installed package's.",
)
@click.pass_context
def check(ctx: click.Context, database: bool, folder: Path | None) -> None:
    """Compare a database with what the revision that it is at leaves.

    Nothing is changed. Exits with 1 if there are differences, or if it is behind.
    """
    if not database:
        click.echo(ctx.get_usage())
        click.echo("Say what to check: --database")
        ctx.exit(2)
    try:
        settings = settings_here()
        lines = asyncio.run(inspect_database(settings, folder or locate_migrations()))
    except DatabaseError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    for line in lines:
        click.echo(line)
    if lines:
        raise SystemExit(1)
    click.echo(f"{settings.address} is as the schemas say")
