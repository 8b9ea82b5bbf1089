"""The guards of an entity, checked: which rows cannot be deleted."""

from collections.abc import Mapping
from typing import Any

from soulspot_db.language.field import Problem
from soulspot_db.language.filters import parse_filter
from soulspot_db.language.folding import folded
from soulspot_db.language.predicates import Predicate
from soulspot_db.language.relations import Find
from soulspot_db.language.scope import FilterError, HasFields

__all__ = ["resolve_guards"]


def resolve_guards(
    documents: Mapping[str, Mapping[str, Any]], entity: HasFields, find: Find | None, problems: list[Problem]
) -> dict[str, Predicate]:
    """Decide which rows each guard keeps; what is wrong goes to `problems`.

    Args:
        documents: the filters by the guards' names.
        entity: the entity.
        find: finds others, for filters about related rows.
        problems: takes what is wrong.
    """
    found: dict[str, Predicate] = {}
    for name, condition in documents.items():
        try:
            predicate = parse_filter(condition, entity, find=find)
        except FilterError as error:
            problems.append(Problem(("guards", name), str(error)))
            continue
        if predicate is None or folded(predicate, entity.fields) is True:
            problems.append(Problem(("guards", name), "the guard holds for every row, so none could be deleted"))
        else:
            found[name] = predicate
    return found
