"""`soulspot-db migrate`."""

import asyncio
from pathlib import Path

import click

from soulspot_db.errors import DatabaseError
from soulspot_db.migrations.locate import locate_migrations
from soulspot_db.migrations.runner import Status
from soulspot_db.migrations.runner import migrate as run
from soulspot_db.migrations.runner import status as read_status
from soulspot_db.settings import DatabaseSettings

__all__ = ["migrate"]


@click.command()
@click.option("--status", "only_status", is_flag=True, help="Say where the database is and what is pending.")
@click.option(
    "--migrations",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The migrations folder; default: the project's, or the installed package's.",
)
def migrate(only_status: bool, folder: Path | None) -> None:
    """Bring the database named by DATABASE to the newest revision.

    No backup is made by this version: copy the database first.
    """
    try:
        settings = DatabaseSettings()
        migrations = folder or locate_migrations()
        if only_status:
            _print_status(settings, asyncio.run(read_status(settings, migrations)))
            return
        # Said, because outside a project these are the ones that an installed package carries.
        click.echo(f"migrations from {migrations}")
        state = asyncio.run(run(settings, migrations, lambda line: click.echo(f"migrating to {line}")))
    except DatabaseError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    click.echo(f"{settings.database_path} is at revision {state.current or 'none'} (no backup was made)")


def _print_status(settings: DatabaseSettings, state: Status) -> None:
    click.echo(f"database  {settings.database_path}")
    click.echo(
        f"revision  {state.current or 'none'}" + (" (unknown to this version of the code)" if state.ahead else "")
    )
    click.echo(f"newest    {state.head or 'none'}")
    warning = " (no backup will be made; copy the database first)" if state.pending else ""
    click.echo(f"pending   {len(state.pending)}{warning}")
    for revision, title in state.pending:
        click.echo(f"  {revision}  {title}")
