"""The sentence that advises an index: what was found, and the line of YAML to add."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from soulspot_db.language.advised import Advised
from soulspot_db.monitoring.slow.costs import Cost

__all__ = ["sentence"]

_FOUND = {
    "whole": "{} is read whole",
    "much": "much of {} is read",
    "sort": "all that is found of {} is sorted to return the first rows",
}


def sentence(spared: Collection[Cost], names: Mapping[str, str], indexes: Sequence[Advised], why: str = "") -> str:
    """What is spared, and by which indexes.

    Args:
        spared: what is spared.
        names: the entities by what the statement calls their tables.
        indexes: what spares it.
        why: what is done so, where that is not the statement itself.
    """
    found = dict.fromkeys(_FOUND[cost.kind].format(names[cost.alias]) for cost in sorted(spared, key=lambda c: c.alias))
    by_entity = dict[str, list[str]]()
    for each in indexes:
        by_entity.setdefault(each.entity, []).append(f'"- {each.line}"')
    adds = (f"{_all(lines)} to the indexes of {entity}" for entity, lines in by_entity.items())
    return f"{_all(found)}{why}: add {_all(adds)}"


def _all(texts: Iterable[str]) -> str:
    return " and ".join(texts)
