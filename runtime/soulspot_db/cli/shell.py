"""`soulspot-db shell`."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence

import click

from soulspot_db.cli.interrupt import STOPPED
from soulspot_db.cli.package import import_package, package_option
from soulspot_db.cli.text_table import as_json, as_table
from soulspot_db.engine.console import HIDDEN, Answer, Console, Shown
from soulspot_db.errors import ConfigurationError, DatabaseError
from soulspot_db.maintenance.console import known_entities, open_console
from soulspot_db.migrations.surroundings import settings_here

__all__ = ["shell"]

_LIMIT = 1_000
_HELP = """\
Statements end with a semicolon. An entity is a table of its name, with its fields.
.tables       the entities, and the tables that are none
.schema NAME  the fields or columns of one
.help         this
.quit         ends, as Ctrl-D does; Ctrl-C stops a statement"""


@click.command()
@click.option("-c", "--command", "sql", metavar="SQL", help="Run this statement, and end.")
@click.option("--json", "is_json", is_flag=True, help="Print rows as a list of JSON objects.")
@click.option("--all", "is_all", is_flag=True, help=f"Print all rows, and not only the first {_LIMIT:,}.")
@package_option
def shell(*, sql: str | None, is_json: bool, is_all: bool, package: str | None) -> None:
    """Ask the database named by DATABASE in SQL that only reads.

    Entities are tables, by their names in the schemas, and fields are columns. Values of sensitive and encrypted fields are not shown.
    Statements come from a prompt, from -c, or from standard input.
    """
    try:
        with asyncio.Runner() as runner:
            settings, entities = settings_here(), _entities(package)
            console = runner.run(open_console(settings, entities))
            try:
                session = _Session(runner, console, entities, is_json=is_json, limit=None if is_all else _LIMIT)
                is_fine = session.obey(sql) if sql is not None else session.converse()
            finally:
                runner.run(console.close())
    except DatabaseError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(STOPPED) from None
    if not is_fine:
        raise SystemExit(1)


def _entities(package: str | None) -> Sequence[Shown]:
    try:
        import_package(package)
    except ConfigurationError as error:
        click.echo(f"only the database's own names are known, and nothing is hidden: {error.message}", err=True)
        return ()
    return known_entities()


class _Session:
    """Takes statements and prints what they find."""

    def __init__(
        self, runner: asyncio.Runner, console: Console, entities: Sequence[Shown], *, is_json: bool, limit: int | None
    ) -> None:
        self._runner = runner
        self._console = console
        self._entities = {entity.name: entity for entity in entities}
        self._is_json = is_json
        self._limit = limit

    def obey(self, text: str) -> bool:
        """Do one thing; what prevents it is printed. Returns whether it was done."""
        try:
            if text.strip().startswith("."):
                return self._command(*text.split())
            answer = self._runner.run(self._console.run(text, self._limit))
        except DatabaseError as error:
            click.echo(str(error), err=True)
            return False
        self._print(answer)
        return True

    def converse(self) -> bool:
        """Do one thing after another, until there is nothing more. Returns whether all were done, where nobody sits there."""
        is_prompt = sys.stdin.isatty()
        if is_prompt:
            import readline  # noqa: F401, PLC0415 - to import it gives `input` a line that can be edited, and a history

            click.echo(_HELP)
        done = True
        for text in _statements(is_prompt=is_prompt):
            if text.strip() == ".quit":
                break
            try:
                done = self.obey(text) and done
            except KeyboardInterrupt:
                if not is_prompt:
                    raise
                click.echo("stopped", err=True)
        return done or is_prompt

    def _command(self, name: str, *arguments: str) -> bool:
        commands: dict[str, Callable[[], bool]] = {
            ".tables": self._tables,
            ".help": lambda: _said(_HELP),
            ".quit": lambda: True,
        }
        if name == ".schema" and len(arguments) == 1:
            return self._schema(arguments[0])
        if name not in commands or arguments:
            click.echo("that means nothing here: .tables, .schema NAME, .help, .quit", err=True)
            return False
        return commands[name]()

    def _tables(self) -> bool:
        tables = self._console.tables
        rows = [(entity.name, entity.table) for entity in self._entities.values() if entity.table in tables]
        taken = {table for _name, table in rows}
        rows += [("", table) for table in tables if table not in taken]
        self._print(Answer(("entity", "table"), rows, False))
        return True

    def _schema(self, name: str) -> bool:
        entity = self._entities.get(name)
        columns = self._console.tables.get(entity.table if entity else name)
        if columns is None:
            click.echo(f"there is no entity and no table {name}; see .tables", err=True)
            return False
        fields, hidden = (entity.fields, entity.hidden) if entity else ({}, frozenset[str]())
        rows = [
            (
                fields.get(each.name, each.name),
                each.type,
                "" if each.nullable else "not null",
                HIDDEN * (each.name in hidden),
            )
            for each in columns
        ]
        self._print(Answer(("field" if entity else "column", "type", "null", "shown"), rows, False))
        return True

    def _print(self, answer: Answer) -> None:
        if self._is_json:
            click.echo(as_json(answer.columns, answer.rows))
        else:
            for line in as_table(answer.columns, answer.rows):
                click.echo(line)
            click.echo(f"({len(answer.rows):,} row{'' if len(answer.rows) == 1 else 's'})")
        if answer.more:
            click.echo(f"there are more than these {len(answer.rows):,} rows: --all prints them", err=True)


def _said(text: str) -> bool:
    click.echo(text)
    return True


def _statements(*, is_prompt: bool) -> Iterator[str]:
    """What is typed: commands a line each, statements up to a semicolon at the end of a line."""
    lines: list[str] = []
    while True:
        try:
            line = input(("   ...> " if lines else "soulspot> ") if is_prompt else "")
        except EOFError:
            if is_prompt:
                click.echo()
            break
        except KeyboardInterrupt:
            if not is_prompt:
                raise
            click.echo()
            lines = []
            continue
        if not lines and (not line.strip() or line.lstrip().startswith(".")):
            if line.strip():
                yield line
            continue
        lines.append(line)
        if line.rstrip().endswith(";"):
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)
