"""What a running program asks again and again: is the database still the one its code was generated for?"""

from collections.abc import Mapping

from soulspot_db.engine.base import Guard, Select
from soulspot_db.errors import DatabaseError, SchemaAheadError
from soulspot_db.migrations.version import REVISION

__all__ = ["guard_for"]


def guard_for(heads: Mapping[str, str]) -> Guard | None:
    """A check for the engine, made where another program has written; none where no package brings migrations.

    Args:
        heads: the revision that each generated package needs.
    """
    if not heads:
        return None
    expected = frozenset(heads.values())

    def moved(select: Select) -> DatabaseError | None:
        try:
            found = {str(revision) for (revision,) in select(REVISION)}
        except DatabaseError:
            found = set()  # no such table any more
        return None if found == expected else _moved(", ".join(sorted(found)) or "none", ", ".join(sorted(expected)))

    return moved


def _moved(current: str, head: str) -> SchemaAheadError:
    return SchemaAheadError(
        f"another program has taken the database to revision {current} while this one ran with code for {head}; "
        "nothing is read or written any more, because columns may mean something else now",
        "Start this program again with the code that belongs to the database.",
        current=current,
        head=head,
    )
