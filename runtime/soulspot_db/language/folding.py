"""What a predicate is whatever the row: the empty conditions that do not look empty."""

from collections.abc import Mapping

from soulspot_db.language.field import FieldSpec
from soulspot_db.language.predicates import Compare, Predicate, Related

__all__ = ["folded"]


def folded(predicate: Predicate, fields: Mapping[str, FieldSpec]) -> bool | None:
    """What a predicate is for every row, or None where that depends on the row.

    `{"not": {"status": []}}` and `{"id": {"ne": None}}` are as empty a condition as `{}`, and as dangerous.
    """
    match predicate:
        case Compare():
            return _compared(predicate, fields)
        case Related():
            return None
    parts = [folded(part, fields) for part in predicate.parts]
    if predicate.operator == "not":
        return None if parts[0] is None else not parts[0]
    decisive = predicate.operator == "or"
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


def _compared(compare: Compare, fields: Mapping[str, FieldSpec]) -> bool | None:
    if compare.operator in {"in", "not_in"} and not compare.values:
        return compare.operator == "not_in"
    if compare.operator in {"is_null", "not_null"} and not fields[compare.field].nullable:
        return compare.operator == "not_null"
    return None
