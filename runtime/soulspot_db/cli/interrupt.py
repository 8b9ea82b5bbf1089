"""Ctrl-C: the first stops what runs in an orderly way, the second ends the process as it is."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click

__all__ = ["STOPPED", "run_stoppable"]

STOPPED = 130
"""The exit code, as shells have it for a program that Ctrl-C has ended."""

T = TypeVar("T")


def run_stoppable(call: Coroutine[Any, Any, T], stopped: Callable[[], None]) -> T:
    """Run a coroutine that ends well when it is cancelled.

    Args:
        call: what to run.
        stopped: called after Ctrl-C has ended it, to say what became of it.

    Raises:
        SystemExit: Ctrl-C was pressed, and it has ended.
    """
    try:
        return asyncio.run(_await(call))
    except KeyboardInterrupt:
        stopped()
        raise SystemExit(STOPPED) from None


async def _await(call: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        # A process that is killed leaves the database as sound as one that stops.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        click.echo("stopping; press Ctrl-C again to end at once, which does the database no harm", err=True)
        task.cancel()
        await asyncio.wait([task])
        raise
