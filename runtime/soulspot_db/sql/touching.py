"""What changes with every update of a row: the moments with `on_update: now`, and the version."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from soulspot_db.language.predicates import Increment
from soulspot_db.language.spec import EntitySpec

__all__ = ["with_touched"]


def with_touched(spec: EntitySpec, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """New values by field, and those of the fields that change along with them at this moment, unless they are among these."""
    stored = dict(values)
    for field in spec.fields.values():
        if field.touched:
            stored.setdefault(field.name, now)
        if field.version:
            stored[field.name] = Increment(1)
    return stored
