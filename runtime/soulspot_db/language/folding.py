"""What a predicate is whatever the row: the empty conditions that do not look empty."""

from collections.abc import Mapping

from soulspot_db.language.field import FieldSpec
from soulspot_db.language.predicates import Compare, Predicate

__all__ = ["folded"]


def folded(predicate: Predicate, fields: Mapping[str, FieldSpec]) -> bool | None:
    """What a predicate is for every row, or None where that depends on the row.

    `{"not": {"status": []}}` and `{"id": {"ne": None}}` are as empty a condition as `{}`, and as dangerous.
    """
    if isinstance(predicate, Compare):
        if predicate.operator in {"in", "not_in"} and not predicate.values:
            return predicate.operator == "not_in"
        if predicate.operator in {"is_null", "not_null"} and not fields[predicate.field].nullable:
            return predicate.operator == "not_null"
        return None
    parts = [folded(part, fields) for part in predicate.parts]
    if predicate.operator == "not":
        return None if parts[0] is None else not parts[0]
    decisive = predicate.operator == "or"
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive
