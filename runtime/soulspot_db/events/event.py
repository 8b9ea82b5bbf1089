"""What is published."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from soulspot_db.defaults import utc_now, uuid7

__all__ = ["Event"]

Data_co = TypeVar("Data_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Event(Generic[Data_co]):
    """Something that happened. `event_type` is the topic, such as `database.track.created`."""

    event_type: str
    data: Data_co
    metadata: Mapping[str, Any] = field(default_factory=dict)
    event_id: UUID = field(default_factory=uuid7)
    timestamp: datetime = field(default_factory=utc_now)
