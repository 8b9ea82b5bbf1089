"""Logging that cannot raise: what is done must not depend on what is told of it."""

import asyncio
import contextlib
import logging

__all__ = ["log_quietly"]


def log_quietly(log: logging.Logger, level: int, message: str, *args: object, exc_info: bool = False) -> None:
    """Log a message, with the current exception if asked; handlers and filters that raise are ignored.

    They are the application's own. Where a COMMIT has been asked for, or a queue is being worked off, their errors would
    look like those of the database.
    """
    with contextlib.suppress(Exception, asyncio.CancelledError):
        log.log(level, message, *args, exc_info=exc_info, stacklevel=2)
