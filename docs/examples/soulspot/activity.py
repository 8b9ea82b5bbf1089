"""Knows what was added to the library lately, only by listening: it never asks the database."""

from collections import deque

from soulspot_db import Event, EventBus
from soulspot_db_entities.library import TrackCreated

__all__ = ["LibraryActivity"]


class LibraryActivity:
    """Counts new tracks and remembers the newest, for a start page that costs no query.

    Args:
        events: the bus that the database publishes on.
        keep: how many of the newest tracks to remember.
    """

    def __init__(self, events: EventBus, *, keep: int = 10) -> None:
        self.tracks_added = 0
        self._newest: deque[str] = deque(maxlen=keep)
        events.subscribe("database.track.created", self._on_track_created)

    @property
    def newest_track_ids(self) -> list[str]:
        """The ids of the tracks added last, the newest first."""
        return list(reversed(self._newest))

    def _on_track_created(self, event: Event[TrackCreated]) -> None:
        self.tracks_added += 1
        self._newest.append(event.data["entity_id"])
