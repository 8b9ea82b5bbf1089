"""`soulspot-db doctor`."""

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import click

from soulspot_db.cli.interrupt import run_stoppable
from soulspot_db.doctor.doctor import examine
from soulspot_db.doctor.finding import Finding
from soulspot_db.errors import ConfigurationError, DatabaseError
from soulspot_db.migrations.locate import locate_migrations
from soulspot_db.migrations.surroundings import settings_here

__all__ = ["doctor"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects: check, level, message, resolution.")
@click.option(
    "--migrations",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The migrations folder; default: the project's, or the installed package's.",
)
def doctor(*, as_json: bool, folder: Path | None) -> None:
    """Say what is wrong with the database, and what to do.

    It is the one that DATABASE names. Nothing is changed, and SoulSpot may go on meanwhile. Exits with 1 if something must be done.
    """
    try:
        settings = settings_here()
        found = run_stoppable(
            examine(settings, folder or _migrations()), lambda: click.echo("stopped; nothing was changed", err=True)
        )
    except DatabaseError as error:
        if as_json:
            _print_json([Finding("must", error.message, error.resolution, "settings")])
        else:
            click.echo(str(error), err=True)
        raise SystemExit(1) from None
    if as_json:
        _print_json(found)
    else:
        _print(found)
    if any(finding.level == "must" for finding in found):
        raise SystemExit(1)


def _migrations() -> Path | None:
    try:
        return locate_migrations()
    except ConfigurationError:
        return None  # the checks that need them say so


def _print_json(found: Sequence[Finding]) -> None:
    click.echo(json.dumps([finding.to_dict() for finding in found], indent=2, ensure_ascii=False))


def _print(found: Sequence[Finding]) -> None:
    width = max(len(finding.check) for finding in found)
    for (level, message, resolution), same in groupby(found, lambda each: (each.level, each.message, each.resolution)):
        first, *more = [finding.check for finding in same]
        others = f" (so with {', '.join(more)})" if more else ""
        click.echo(f"{level:<4}  {first:<{width}}  {message}{others}")
        for step in resolution.splitlines():
            click.echo(f"{'':<{width + 8}}{step}")
    counts = {level: sum(finding.level == level for finding in found) for level in ("must", "note", "ok")}
    click.echo(f"\n{counts['must']} to be done now, {counts['note']} to know, {counts['ok']} as they should be")
