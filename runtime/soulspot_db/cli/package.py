"""The generated package that a command works on."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

import click

from soulspot_db.migrations.locate import locate_package

__all__ = ["import_package", "package_option"]

F = TypeVar("F", bound=Callable[..., Any])


def package_option(command: F) -> F:
    """Give a command `--package NAME`."""
    text = "The generated package; default: the project's, or the installed one."
    return click.option("--package", metavar="NAME", help=text)(command)


def import_package(package: str | None) -> None:
    """Import it, so that its entities are known; for None the project's, or the only one that is installed.

    Raises:
        ConfigurationError: no package was named, and there is none, or several are installed.
        click.ClickException: it cannot be imported.
    """
    name = package or locate_package()
    try:
        import_module(name)
    except ModuleNotFoundError as error:
        raise click.ClickException(f"the package {name} cannot be imported: there is no module {error.name}") from None
