"""The command line: `soulspot-db`. Commands load when they are called; other packages add theirs by entry point."""

from importlib import import_module, metadata
from typing import Any

import click

from soulspot_db.cli.summary import summary

__all__ = ["main"]

_OURS = {
    name: f"soulspot_db.cli.{name}:{name}"
    for name in ("backup", "cache", "check", "doctor", "keys", "migrate", "optimize", "restore", "shell", "stats")
}
_GROUP = "soulspot_db.commands"


class _MissingModule(click.ClickException):
    exit_code = 2  # 1 would say that the schemas have problems


class _Commands(click.Group):
    """Finds commands by name without importing the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click says the signature
        return sorted(_places())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        place = _places().get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        try:
            return _command(getattr(import_module(module), name))
        except ModuleNotFoundError as error:
            raise _MissingModule(_advice(cmd_name, module, error)) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(place)) for name, place in sorted(_places().items())])


def _places() -> dict[str, str]:
    """Where each command is, `package.module:name`."""
    return {entry.name: entry.value for entry in metadata.entry_points(group=_GROUP)} | _OURS


def _advice(command: str, module: str, error: ModuleNotFoundError) -> str:
    missing = f"`soulspot-db {command}` needs the module {error.name!r}, which is not installed"
    ours = module.startswith("soulspot_db_codegen.")
    return f"{missing}: pip install 'soulspot-db[codegen]'" if ours else f"{missing}; {module} asks for it"


def _command(found: Any) -> click.Command:
    if not isinstance(found, click.Command):
        raise TypeError(f"{found!r} is not a click command")
    return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="soulspot-db")
def main() -> None:
    """The database module of SoulSpot."""
