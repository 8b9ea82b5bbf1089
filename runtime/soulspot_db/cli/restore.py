"""`soulspot-db restore`."""

from pathlib import Path

import click

from soulspot_db.cli.bar import Bar
from soulspot_db.cli.interrupt import STOPPED
from soulspot_db.errors import DatabaseError
from soulspot_db.maintenance.restore import Restored, restore_from
from soulspot_db.migrations.locate import locate_migrations
from soulspot_db.migrations.surroundings import settings_here
from soulspot_db.settings import DatabaseSettings

__all__ = ["restore"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--migrations",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The migrations folder; default: the project's, or the installed package's.",
)
def restore(*, file: Path, folder: Path | None) -> None:
    """Put a copy in the place of the database named by DATABASE.

    FILE was made by `backup`, or before a migration. It is looked at before anything is changed. SoulSpot must be stopped. The old
    database is kept beside the new one. PostgreSQL's archives are read by pg_restore, into a database that is empty.
    """
    try:
        settings = settings_here()
        with Bar("pages") as bar:
            done = restore_from(
                settings, file, lambda: folder or locate_migrations(), lambda *far: bar.progress("copied", *far)
            )
        _tell(settings, file, done)
    except DatabaseError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        click.echo(
            "stopped; the database is the old one or the new one, as `soulspot-db migrate --status` says", err=True
        )
        raise SystemExit(STOPPED) from None


def _tell(settings: DatabaseSettings, file: Path, done: Restored) -> None:
    click.echo(f"{settings.address} is now what {file} was")
    if done.kept is not None:
        click.echo(f"the old database is kept: {done.kept}")
    if done.pending:
        revisions = "1 revision is" if done.pending == 1 else f"{done.pending} revisions are"
        click.echo(f"it is at revision {done.revision}, and {revisions} pending; run: soulspot-db migrate")
    if settings.redis is not None:
        click.echo("Redis may hold answers from after the backup; run: soulspot-db cache clear")
    if settings.database_type == "postgresql":
        click.echo("the planner knows nothing of the new tables yet; run: soulspot-db optimize")
