"""The command line: `soulspot-db`. Commands load when they are called; other packages add theirs by entry point."""

from importlib import import_module, metadata
from typing import Any

import click

__all__ = ["main"]

_OURS = {"migrate": "soulspot_db.cli.migrate:migrate"}
_GROUP = "soulspot_db.commands"


class _Commands(click.Group):
    """Finds commands by name without importing the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click says the signature
        return sorted({*_OURS, *(entry.name for entry in metadata.entry_points(group=_GROUP))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name in _OURS:
            module, _, name = _OURS[cmd_name].partition(":")
            return _command(getattr(import_module(module), name))
        for entry in metadata.entry_points(group=_GROUP, name=cmd_name):
            try:
                return _command(entry.load())
            except ModuleNotFoundError as error:
                raise click.ClickException(
                    f"`{cmd_name}` needs the module {error.name!r}: install soulspot-db with its extra, "
                    "for example soulspot-db[codegen]"
                ) from error
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _HELP.get(name, "")) for name in self.list_commands(ctx)])


# Said here, so that --help need not import what it lists.
_HELP = {
    "generate": "Turn schemas into models, repositories and migrations.",
    "migrate": "Bring the database to the newest revision.",
}


def _command(found: Any) -> click.Command:
    if not isinstance(found, click.Command):
        raise TypeError(f"{found!r} is not a click command")
    return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="soulspot-db")
def main() -> None:
    """The database module of SoulSpot."""
