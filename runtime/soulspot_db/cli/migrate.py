"""`soulspot-db migrate`."""

import asyncio
from pathlib import Path

import click

from soulspot_db.cli.bar import Bar
from soulspot_db.errors import DatabaseError
from soulspot_db.migrations.locate import locate_migrations
from soulspot_db.migrations.printing import print_sql
from soulspot_db.migrations.runner import Status, status
from soulspot_db.migrations.runner import migrate as run
from soulspot_db.settings import DatabaseSettings

__all__ = ["migrate"]


@click.command()
@click.option("--status", "only_status", is_flag=True, help="Say where the database is and what is pending.")
@click.option("--sql", "only_sql", is_flag=True, help="Print the SQL of what is pending, and run nothing.")
@click.option("--to", metavar="REVISION", help="Stop at this revision, or go back to it; `none` is before the first.")
@click.option(
    "--allow-destructive",
    "allowed",
    multiple=True,
    metavar="REVISION",
    help="Let this revision, or the only one that begins so, lose the data that it names. Can be given more than once.",
)
@click.option("--no-backup", is_flag=True, help="Do not copy the database first.")
@click.option(
    "--migrations",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The migrations folder; default: the project's, or the installed package's.",
)
def migrate(
    *, only_status: bool, only_sql: bool, to: str | None, allowed: tuple[str, ...], no_backup: bool, folder: Path | None
) -> None:
    """Bring the database named by DATABASE to the newest revision.

    A backup is made first, beside it, if there is anything in it and anything to do.
    """
    try:
        settings = DatabaseSettings()
        migrations = folder or locate_migrations()
        if only_status:
            _print_status(settings, asyncio.run(status(settings, migrations)))
        elif only_sql:
            click.echo(asyncio.run(print_sql(settings, migrations, to=to)), nl=False)
        else:
            # Said, because outside a project these are the ones that an installed package carries.
            click.echo(f"migrations from {migrations}")
            with Bar() as bar:
                state = asyncio.run(
                    run(
                        settings,
                        migrations,
                        bar.line,
                        to=to,
                        allow_destructive=allowed,
                        backup=not no_backup,
                        progress=bar.progress,
                    )
                )
            click.echo(f"{settings.address} is at revision {state.current or 'none'}")
    except DatabaseError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None


def _print_status(settings: DatabaseSettings, state: Status) -> None:
    click.echo(f"database  {settings.address}")
    click.echo(
        f"revision  {state.current or 'none'}" + (" (unknown to this version of the code)" if state.ahead else "")
    )
    click.echo(f"newest    {state.head or 'none'}")
    click.echo(f"pending   {len(state.pending)}")
    for revision, title in state.pending:
        click.echo(f"  {revision}  {title}")
        for loss in state.losses.get(revision, ()):
            click.echo(f"    loses {loss}: needs --allow-destructive {revision}")
