"""The testing kit: what the pytest plugin gives to tests. Only `plugin` imports pytest, only `rows` and `values` polyfactory."""

from typing import TYPE_CHECKING

from soulspot_db.lazy import lazy_attributes

if TYPE_CHECKING:
    from soulspot_db.testing.factories import Factories
    from soulspot_db.testing.recorder import RecordedEvents
else:
    __getattr__ = lazy_attributes(
        {
            "soulspot_db.testing.factories": ["Factories"],
            "soulspot_db.testing.recorder": ["RecordedEvents"],
        }
    )

__all__ = ["Factories", "RecordedEvents"]
