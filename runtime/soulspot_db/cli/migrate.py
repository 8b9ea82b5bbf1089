"""`soulspot-db migrate`."""

import asyncio
from pathlib import Path

import click

from soulspot_db.cli.bar import Bar
from soulspot_db.cli.interrupt import run_stoppable
from soulspot_db.errors import DatabaseError
from soulspot_db.migrations.locate import locate_migrations
from soulspot_db.migrations.printing import print_sql
from soulspot_db.migrations.runner import Status, ahead, status
from soulspot_db.migrations.runner import migrate as run
from soulspot_db.migrations.surroundings import settings_here
from soulspot_db.settings import DatabaseSettings

__all__ = ["migrate"]

_LAST = 3  # of what is applied, to see what to go back to


@click.command()
@click.option("--status", "only_status", is_flag=True, help="Say where the database is and what is pending.")
@click.option("--sql", "only_sql", is_flag=True, help="Print the SQL of what is pending, and run nothing.")
@click.option(
    "--to",
    metavar="REVISION",
    help="Stop at this revision, or go back to it: its id, or the number of its file; `none` is before the first.",
)
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
        settings = settings_here()
        migrations = folder or locate_migrations()
        if only_status:
            _print_status(settings, asyncio.run(status(settings, migrations)))
        elif only_sql:
            click.echo(asyncio.run(print_sql(settings, migrations, to=to)), nl=False)
        else:
            # Said, because outside a project these are the ones that an installed package carries.
            click.echo(f"migrations from {migrations}")
            with Bar() as bar:
                call = run(
                    settings,
                    migrations,
                    bar.line,
                    to=to,
                    allow_destructive=allowed,
                    backup=not no_backup,
                    progress=bar.progress,
                )
                state = run_stoppable(call, lambda: _tell_stopped(settings, migrations))
            click.echo(f"{settings.address} is at revision {state.current or 'none'}")
    except DatabaseError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None


def _tell_stopped(settings: DatabaseSettings, migrations: Path) -> None:
    state = asyncio.run(status(settings, migrations))
    at = f"{settings.address} is at revision {state.current or 'none'}, {len(state.pending)} pending"
    unfinished = f", {', '.join(state.unfinished)} not finished" if state.unfinished else ""
    click.echo(f"interrupted: {at}{unfinished}; run the same command again to go on from there", err=True)


def _print_status(settings: DatabaseSettings, state: Status) -> None:
    click.echo(f"database  {settings.address}")
    click.echo(
        f"revision  {state.current or 'none'}" + (" (unknown to this version of the code)" if state.ahead else "")
    )
    for name in state.unfinished:
        click.echo(f"  {name} is not finished yet: run `soulspot-db migrate`")
    click.echo(f"newest    {state.head or 'none'}")
    if state.ahead:
        raise ahead(state)
    if state.applied:
        listed = "" if len(state.applied) <= _LAST else ", of which the last"
        click.echo(f"applied   {len(state.applied)}{listed}:")
        for revision, title in state.applied[-_LAST:]:
            click.echo(f"  {revision}  {title}")
    click.echo(f"pending   {len(state.pending)}")
    for number, (revision, title) in enumerate(state.pending):
        click.echo(f"  {revision}  {title}")
        for refusal in state.refusals if number == 0 else ():
            click.echo(f"    refuses {refusal}")
        for loss in state.losses.get(revision, ()):
            click.echo(f"    loses {loss}: needs --allow-destructive {revision}")
