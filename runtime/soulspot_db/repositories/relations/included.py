"""A row with the related rows that were asked for: what `include` returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast, overload

from soulspot_db.entity import Entity
from soulspot_db.errors import ValidationFailedError

__all__ = ["Included", "Relative"]

Model = TypeVar("Model", bound=Entity)
T = TypeVar("T")


@dataclass(frozen=True)
class Included(Generic[Model]):
    """A row, and what its relations lead to; generated subclasses have a `Relative` for each relation."""

    row: Model
    _found: Mapping[str, Any] = field(repr=False)


class Relative(Generic[T]):
    """What a relation leads to, where it was included: a row, a list of rows, or None."""

    def __set_name__(self, owner: type[Included[Any]], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, included: None, owner: type[Included[Any]]) -> "Relative[T]": ...
    @overload
    def __get__(self, included: Included[Any], owner: type[Included[Any]]) -> T: ...
    def __get__(self, included: Included[Any] | None, owner: type[Included[Any]]) -> "Relative[T] | T":
        """What was found; raises DATABASE_VALIDATION_FAILED where nobody looked, which is not the same as None."""
        if included is None:
            return self
        found = included._found  # noqa: SLF001 - a relation may have any other name
        if self._name not in found:
            raise ValidationFailedError(
                f"{self._name} was not included with this {type(included.row).__name__}: "
                f"only {', '.join(found) or 'nothing'} was",
                f"Ask for it: include(rows, {', '.join(map(repr, (*found, self._name)))}).",
                operation="include",
                field=self._name,
            )
        return cast("T", found[self._name])
