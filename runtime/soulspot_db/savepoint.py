"""Blocks: entered once, and a nested one is a savepoint of its transaction."""

from collections.abc import Awaitable
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from soulspot_db.errors import TransactionError

__all__ = ["HasSavepoints", "Once", "Savepoint", "ending"]


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

    async def open_savepoint(self, *, read_only: bool) -> None:
        """Begin a nested block."""
        ...

    async def close_savepoint(self, *, keep: bool) -> None:
        """End the innermost one."""
        ...


Outer = TypeVar("Outer", bound=HasSavepoints)


class Savepoint(Generic[Outer]):
    """What `transaction()` returns in a transaction: `async with` enters it once."""

    def __init__(self, transaction: Outer, *, read_only: bool) -> None:
        self._transaction = transaction
        self._read_only = read_only
        self._entry = Once("tx.transaction()")

    async def __aenter__(self) -> Outer:
        self._entry.take()
        await self._transaction.open_savepoint(read_only=self._read_only)
        return self._transaction

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await ending(self._transaction.close_savepoint(keep=error is None), error)


async def ending(end: Awaitable[None], error: BaseException | None) -> None:
    """Await the end of a block that `error` has left, if it is not None."""
    try:
        await end
    except TransactionError:
        # The block's own error says why the transaction is gone; "it is gone" would only hide it.
        if error is None:
            raise
