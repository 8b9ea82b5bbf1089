"""Blocks: entered once, and a nested one is a savepoint of its transaction."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from soulspot_db.errors import DatabaseError, TransactionError
from soulspot_db.sessions.operations import Effects

__all__ = ["Frame", "HasSavepoints", "Once", "Savepoint", "ending"]


@dataclass(slots=True, eq=False)
class Frame:
    """A transaction or a savepoint in it: what has been done since it began, and the task that began the savepoint."""

    owner: asyncio.Task[Any] | None
    read_only: bool = False
    effects: Effects = field(default_factory=Effects)

    @property
    def has_effects(self) -> bool:
        """Whether anything would be lost with it."""
        return bool(self.effects.tags or self.effects.events)


class Once:
    """Lets a block be entered once.

    A second time would put another transaction in the place of the first, whose end would then be that of the other.

    Args:
        call: what makes a new block.
    """

    def __init__(self, call: str) -> None:
        self._call = call
        self._taken = False

    def take(self) -> None:
        """Enter.

        Raises:
            TransactionError: it is, or was, entered already.
        """
        if self._taken:
            raise TransactionError(
                "a block can be entered once, and this one was entered before",
                f"Call it anew for each block, also in each task: `async with {self._call} as tx:`.",
            )
        self._taken = True


class HasSavepoints(Protocol):
    """A transaction in which blocks can be nested."""

    async def open_savepoint(self, *, read_only: bool) -> Frame:
        """Begin a nested block."""
        ...

    async def close_savepoint(self, frame: Frame, error: BaseException | None) -> None:
        """End it; what was done in it is kept, unless an error has left it."""
        ...


Outer = TypeVar("Outer", bound=HasSavepoints)


class Savepoint(Generic[Outer]):
    """What `transaction()` returns in a transaction: `async with` enters it once."""

    def __init__(self, transaction: Outer, *, read_only: bool) -> None:
        self._transaction = transaction
        self._read_only = read_only
        self._entry = Once("tx.transaction()")
        self._frame: Frame | None = None

    async def __aenter__(self) -> Outer:
        self._entry.take()
        self._frame = await self._transaction.open_savepoint(read_only=self._read_only)
        return self._transaction

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._frame is not None:
            await ending(self._transaction.close_savepoint(self._frame, error), error)


async def ending(end: Awaitable[None], error: BaseException | None) -> None:
    """Await the end of a block that `error` has left, if it is not None."""
    try:
        await end
    except DatabaseError:
        # The block's own error says why it ends, and a cancellation must stay one; that the end failed as well would only
        # hide it, and keeps nothing.
        if error is None:
            raise
