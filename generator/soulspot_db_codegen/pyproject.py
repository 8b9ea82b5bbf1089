"""A pyproject.toml that is added to: what is in it stays as it is, to the byte."""

import tomllib
from pathlib import Path
from typing import Any

from soulspot_db_codegen.errors import ConfigurationError
from soulspot_db_codegen.writer import Change

__all__ = ["Pyproject"]


class Pyproject:
    """The file at `path`, which need not exist.

    Raises:
        ConfigurationError: it is there and cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._text = path.read_bytes().decode() if path.is_file() else None
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{path} is not UTF-8") from error
        self._data = self._parse(self._text or "")

    @property
    def name(self) -> str | None:
        """The project's name, where it says one."""
        project = self._data.get("project")
        found = project.get("name") if isinstance(project, dict) else None
        return found if isinstance(found, str) else None

    def has_tool(self, name: str) -> bool:
        """Whether there is a section `[tool.<name>]`."""
        tools = self._data.get("tool")
        return isinstance(tools, dict) and name in tools

    def extended(self, section: str) -> Change:
        """The file with `section` at its end.

        Raises:
            ConfigurationError: nothing can be added from below to how its tables are written.
        """
        if not self._text:
            return Change(self._path.name, self._text, section)
        end = "\r\n" if "\r\n" in self._text else "\n"
        gap = "" if self._text.endswith("\n") else end
        text = f"{self._text}{gap}{end}{section.replace(chr(10), end)}"
        self._parse(text)
        return Change(self._path.name, self._text, text)

    def _parse(self, text: str) -> dict[str, Any]:
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            reason = (
                "is not valid TOML" if text == (self._text or "") else "has a `tool` that no section can be added to"
            )
            raise ConfigurationError(f"{self._path} {reason}: {error}") from error
