"""The events of the rows that a write touched, made when they are handed on: a bulk write has very many."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from soulspot_db.events.event import Event

__all__ = ["Told", "flattened", "row_events"]

Told = Event[Any] | Iterator[Event[Any]]


def row_events(
    topic: str, entity_type: str, ids: Iterable[str], fields: Sequence[str] | None, timestamp: datetime
) -> Iterator[Event[dict[str, Any]]]:
    """One event for each row, in their order; to be gone through once.

    Args:
        topic: such as `database.track.created`.
        entity_type: such as `track`.
        ids: the primary keys as text, made one at a time where they are an iterator.
        fields: the names that were passed to an update, None for other writes.
        timestamp: when it happened, because the events are made later.
    """
    for entity_id in ids:
        data: dict[str, Any] = {"entity_id": entity_id, "entity_type": entity_type}
        if fields is not None:
            data["fields"] = list(fields)  # of its own: no event shares its data with another
        yield Event(topic, data, timestamp=timestamp)


def flattened(told: Iterable[Told]) -> Iterator[Event[Any]]:
    """Single events and those of rows, in one row."""
    for item in told:
        if isinstance(item, Event):
            yield item
        else:
            yield from item
