"""Many links get a position each, with one statement."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from soulspot_db.sql.clauses import Binder, Encode
from soulspot_db.sql.dialects import Dialect

__all__ = ["Placing", "place", "place_values"]

_KEY, _PLACE = (sa.literal_column(path, sa.Text()) for path in ("'$[0]'", "'$[1]'"))


@dataclass(frozen=True, slots=True)
class Placing:
    """The positions of rows: those whose field `local` is `parent`, by their field `remote`."""

    local: str
    remote: str
    position: str
    parent: Any
    places: Mapping[Any, int]


def place(
    table: sa.Table,
    columns: Mapping[str, Any],
    placing: Placing,
    changed: Callable[[Binder], Mapping[str, Any]],
    dialect: Dialect,
) -> sa.Update:
    """The statement, without its values; `changed` makes what else of the rows changes, by column."""
    bind = Binder()
    remote, position = columns[placing.remote], columns[placing.position]
    given: Any
    if dialect.has_arrays:
        arrays = [sa.cast(bind(), ARRAY(column.type)) for column in (remote, position)]
        given = sa.func.unnest(*arrays).table_valued("key", "place").render_derived(name="given")
        key, new = given.c.key, given.c.place
    else:
        given = sa.func.json_each(bind()).table_valued("value", name="given")
        key, new = (sa.func.json_extract(given.c.value, path) for path in (_KEY, _PLACE))
    rows = sa.update(table).where(columns[placing.local] == bind(), remote == key)
    return rows.values({position.name: new, **changed(bind)})


def place_values(placing: Placing, encode: Encode, dialect: Dialect) -> list[Any]:
    """What is bound for the positions and for the parent."""
    keys = [encode(placing.remote, key) for key in placing.places]
    places = [*placing.places.values()]
    given = [keys, places] if dialect.has_arrays else [json.dumps([*zip(keys, places, strict=True)])]
    return [*given, encode(placing.local, placing.parent)]
