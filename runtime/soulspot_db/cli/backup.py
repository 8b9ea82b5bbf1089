"""`soulspot-db backup`."""

from pathlib import Path

import click

from soulspot_db.cli.bar import Bar
from soulspot_db.cli.interrupt import STOPPED
from soulspot_db.errors import ConfigurationError, DatabaseError
from soulspot_db.maintenance.backup import back_up_to
from soulspot_db.migrations.surroundings import settings_here

__all__ = ["backup"]


@click.command()
@click.argument("target", type=click.Path())
@click.option(
    "--keep",
    metavar="N",
    type=click.IntRange(min=1),
    help="Of the copies in the folder TARGET, keep the newest N, this one included.",
)
def backup(*, target: str, keep: int | None) -> None:
    """Copy the database named by DATABASE to TARGET.

    TARGET is a file, or a folder that exists. SoulSpot may go on meanwhile. The copy is of one moment, and is looked at before it gets its name; an older copy of this name is
    replaced as a whole. PostgreSQL's is made by pg_dump.
    """
    try:
        if target.endswith("/") and not Path(target).is_dir():
            raise ConfigurationError(f"there is no folder {target}", "Make it, or name another one.")
        with Bar("pages") as bar:
            made = back_up_to(
                settings_here(), Path(target), keep=keep, progress=lambda *far: bar.progress("copied", *far)
            )
    except DatabaseError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        click.echo("stopped; no copy was left", err=True)
        raise SystemExit(STOPPED) from None
    click.echo(f"{made} ({made.stat().st_size / 1_000_000:,.1f} MB)")
