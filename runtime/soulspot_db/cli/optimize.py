"""`soulspot-db optimize`."""

import asyncio

import click

from soulspot_db.cli.interrupt import STOPPED
from soulspot_db.errors import DatabaseError
from soulspot_db.maintenance.optimize import optimize_database
from soulspot_db.migrations.surroundings import settings_here

__all__ = ["optimize"]


@click.command()
@click.option(
    "--vacuum", is_flag=True, help="Write the database anew, without free pages. Others cannot write meanwhile."
)
def optimize(*, vacuum: bool) -> None:
    """Bring the database named by DATABASE in order.

    The planner's statistics are renewed, free pages are given back where that can be done, and the write-ahead log is shortened.
    SoulSpot may go on meanwhile. On PostgreSQL, VACUUM and ANALYZE.
    """
    try:
        asyncio.run(optimize_database(settings_here(), vacuum=vacuum, tell=click.echo))
    except DatabaseError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        click.echo("stopped; what was done stays", err=True)
        raise SystemExit(STOPPED) from None
