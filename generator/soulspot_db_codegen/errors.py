"""What is wrong with a schema and where: collected, sorted, reported together."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ConfigurationError", "Diagnostic", "SchemaError"]


@dataclass(frozen=True, order=True, slots=True)
class Diagnostic:
    """One problem. `file` is relative to the project; line and column count from 1."""

    file: str
    line: int
    column: int
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}" + (f"\n    {self.hint}" if self.hint else "")


class SchemaError(Exception):
    """The schemas cannot be generated from; nothing was written."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(
            sorted(set(diagnostics), key=lambda item: (item.file, item.line, item.column, item.message))
        )
        super().__init__("\n".join(map(str, self.diagnostics)))


class ConfigurationError(Exception):
    """The project itself is not set up as the command needs it."""
