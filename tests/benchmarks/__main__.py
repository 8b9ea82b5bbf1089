"""`make bench`: everything that docs/benchmarks.md shows, measured on this machine, now.

`python tests/benchmarks sqlite memory` measures these parts only; `--write` puts the operations into the page as well.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

import click
from rich.console import Console

sys.path.append(str(Path(__file__).parents[1]))  # where the tests keep their servers

from in_process import in_process
from place import Place, PostgresqlPlace, SqlitePlace
from records import records
from report import show, write
from resident import memory
from runner import run
from servers import postgres_server, throwaway_database
from staleness import staleness
from stalls import stalls
from tiers import tiers

from generator import generator

CONSOLE = Console(width=170)
TABLES = {
    "generator": generator,
    "in_process": in_process,
    "memory": memory,
    "records": records,
    "staleness": staleness,
    "stalls": stalls,
    "tiers": tiers,
}
PARTS = ("sqlite", "postgresql", *TABLES)


def operations(place: Place, *, to_page: bool) -> None:
    """Everybody on one place."""
    results = asyncio.run(run(place, lambda what: CONSOLE.print(f"{place.kind}: {what}", style="dim")))
    show(results, CONSOLE)
    if to_page:
        write(results)


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--write", "to_page", is_flag=True, help="Put the operations into docs/benchmarks.md.")
def main(parts: tuple[str, ...], *, to_page: bool) -> None:
    """Measure PARTS, or all of them."""
    for part in parts or PARTS:
        if part == "sqlite":
            with tempfile.TemporaryDirectory() as name:
                operations(SqlitePlace(Path(name) / "soulspot.db"), to_page=to_page)
        elif part == "postgresql":
            with postgres_server() as server, throwaway_database(server.address) as database:
                operations(PostgresqlPlace(server.address, database), to_page=to_page)
        else:
            CONSOLE.print(TABLES[part]())


if __name__ == "__main__":
    main()
