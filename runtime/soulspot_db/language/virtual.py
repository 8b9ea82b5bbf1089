"""Virtual fields: the value of a text field without the prefix that all of its values have."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["VirtualId", "given_as_stored", "read"]


def read(stored: str | None, prefix: str) -> str | None:
    """What follows a prefix; None where a value does not begin so."""
    return None if stored is None or not stored.startswith(prefix) else stored[len(prefix) :]


@dataclass(frozen=True, slots=True)
class VirtualId:
    """A field that is not stored: what follows `prefix` in the stored `field`, and null where it does not begin so."""

    field: str
    prefix: str

    def read(self, stored: str | None) -> str | None:
        """The value of a row whose stored value this is."""
        return read(stored, self.prefix)

    def read_any(self, stored: object) -> str | None:
        """The same of what may be no text, which the stored field refuses."""
        return self.read(stored) if isinstance(stored, str) else None

    def stored(self, value: str) -> str:
        """What is stored for a value.

        Raises:
            ValueError: the value has the prefix already, and would get it twice.
        """
        if value.startswith(self.prefix):
            raise ValueError(f"it is what follows {self.prefix!r}; what begins so is for {self.field}")
        return self.prefix + value


def given_as_stored(given: Mapping[str, Any], virtual: Mapping[str, VirtualId]) -> dict[str, Any]:
    """Given values, with the stored field for each virtual one and the other way round.

    Args:
        given: values by field.
        virtual: the virtual fields by name.

    Raises:
        ValueError: a virtual field and the one that it stands for contradict each other.
    """
    found = dict(given)
    for name, stands_for in virtual.items():
        value = found.get(name)
        if name in found and (value is None or isinstance(value, str)):
            stored = None if value is None else stands_for.stored(value)
            if found.setdefault(stands_for.field, stored) != stored and (
                value is not None or stands_for.read_any(found[stands_for.field]) is not None
            ):
                raise ValueError(f"{name} and {stands_for.field} contradict each other; give one of them")
    for name, stands_for in virtual.items():
        if stands_for.field in found and name not in found:
            found[name] = stands_for.read_any(found[stands_for.field])
    return found
