"""`soulspot-db keys`."""

import base64
import os
from collections.abc import Sequence

import click

from soulspot_db.cli.bar import Bar
from soulspot_db.cli.interrupt import run_stoppable
from soulspot_db.cli.package import import_package, package_option
from soulspot_db.database import Database
from soulspot_db.errors import DatabaseError
from soulspot_db.maintenance.rotation import Progress, Rotated, rotate_keys
from soulspot_db.migrations.surroundings import settings_here
from soulspot_db.settings import DatabaseSettings

__all__ = ["keys"]

_SIZE = 32  # bytes of a Fernet key


@click.group()
def keys() -> None:
    """Make keys for encrypted fields, and encrypt anew what is stored."""


@keys.command()
def new() -> None:
    """Print a new key. It is stored nowhere.

    The key alone goes to stdout, what to do with it to stderr.
    """
    click.echo(base64.urlsafe_b64encode(os.urandom(_SIZE)).decode())
    click.echo(
        "Put it before the others in ENCRYPTION_KEYS, with a comma between them, wherever the program runs: the first key\n"
        "writes, all of them read. Restart the program, then run `soulspot-db keys rotate`. Keep a copy in a safe place, but\n"
        "not beside the database: whoever has both reads everything, and without the key nobody reads what it encrypted.",
        err=True,
    )


@keys.command()
@package_option
def rotate(*, package: str | None) -> None:
    """Encrypt every encrypted field anew with the first key in ENCRYPTION_KEYS.

    Values that are still plain are encrypted. The program may go on meanwhile. Nothing is written if a value cannot be
    read. One that was stopped is run again.
    """
    try:
        settings = settings_here()
        import_package(package)
        with Bar() as bar:
            done = run_stoppable(_rotate(settings, bar.progress), _tell_stopped)
        _tell(settings, done)
    except DatabaseError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None


async def _rotate(settings: DatabaseSettings, progress: Progress) -> list[Rotated]:
    # Who asks for keys does not ask for other tables.
    async with Database(settings.model_copy(update={"auto_migrate": False})) as db:
        return await rotate_keys(db, progress)


def _tell(settings: DatabaseSettings, done: Sequence[Rotated]) -> None:
    for each in done:
        click.echo(
            f"{each.entity_type}: {_values(each.renewed)} of older keys and {each.encrypted:,} plain encrypted anew"
        )
    if any(each.encrypted for each in done):
        click.echo(
            "plain values may be left in free pages and in backups: https://docs.soulspot.app/howto/encryption tells more"
        )
    if overtaken := sum(each.overtaken for each in done):
        click.echo(
            f"{_values(overtaken)} changed again and again and left as others wrote them; run this again", err=True
        )
        raise SystemExit(1)
    click.echo(f"every encrypted value in {settings.address} is of the first key" if done else "no field is encrypted")


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count:,} values"


def _tell_stopped() -> None:
    click.echo("stopped; what was encrypted is stored, and `soulspot-db keys rotate` does the rest", err=True)
