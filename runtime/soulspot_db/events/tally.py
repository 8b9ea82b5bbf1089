"""What became of the events of one bus, and who is told of each."""

from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Tally", "Watcher"]

Watcher: TypeAlias = Callable[[str, float, str], None]
"""Told of the topic of an event, the seconds that its handler took, and what became of it; it must not raise."""


class Tally(Counter[str]):
    """How many events were handled, failed, timed_out and dropped, once for each handler."""

    def __init__(self) -> None:
        super().__init__()
        self.watchers: list[Watcher] = []

    def ended(self, topic: str, seconds: float, outcome: str) -> None:
        """A handler that had begun has ended."""
        self[outcome] += 1
        for watcher in tuple(self.watchers):
            watcher(topic, seconds, outcome)
