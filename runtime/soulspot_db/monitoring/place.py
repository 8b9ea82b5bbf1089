"""Where in the application a call comes from."""

import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["Place", "calling_place"]

_OURS = __name__.partition(".")[0]


class Place(NamedTuple):
    """A line of the application's code."""

    module: str | None
    line: str
    """`file:line`, or words where there is none, as in a task of its own."""


def calling_place(within: Collection[str] = ()) -> Place:
    """The innermost line that called into this package; a coroutine is called by who awaits it.

    It walks frames and reads no source, so that every transaction can afford it.

    Args:
        within: modules, or packages, whose lines are not the caller's either, such as generated code.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - `inspect` offers the same at many times the cost
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        package = module.partition(".")[0]
        if package == "asyncio":
            break  # a task of its own: below it is the loop, which called nobody
        if package != _OURS and module not in within and package not in within:
            return Place(module, f"{frame.f_code.co_filename}:{frame.f_lineno}")
        frame = frame.f_back
    return Place(None, "an unknown place")
