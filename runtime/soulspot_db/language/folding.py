"""What a predicate is whatever the row: the empty conditions that do not look empty."""

from collections.abc import Mapping

from soulspot_db.language.field import FieldSpec
from soulspot_db.language.predicates import Compare, Predicate, Related

__all__ = ["folded"]


def folded(predicate: Predicate, fields: Mapping[str, FieldSpec]) -> bool | None:
    """What a predicate is for every row, or as good as every row, or None where that depends on the row.

    `{"not": {"status": []}}` and `{"id": {"ne": None}}` are as empty a condition as `{}`, and as dangerous.
    """
    match predicate:
        case Compare():
            return _compared(predicate, fields)
        case Related():
            return _related(predicate)
    parts = [folded(part, fields) for part in predicate.parts]
    if predicate.operator == "not":
        return None if parts[0] is None else not parts[0]
    decisive = predicate.operator == "or"
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


def _related(related: Related) -> bool | None:
    """Of no related row at all everything is said, and of every row what holds for all."""
    inner = True if related.where is None else folded(related.where, related.target.fields)
    if related.quantifier == "every" and inner is True:
        return True
    if inner is False and related.quantifier != "every":
        return related.quantifier == "none"
    return None


def _compared(compare: Compare, fields: Mapping[str, FieldSpec]) -> bool | None:
    operator, values = compare.operator, compare.values
    if operator in {"in", "not_in"} and not values:
        return operator == "not_in"
    if operator in {"is_null", "not_null"} and not fields[compare.field].nullable:
        return operator == "not_null"
    if compare.other == compare.field and operator in {"eq", "is", "lte", "gte"}:
        return True
    # Every text has an empty one in it, and every list no items: what an empty search box asks for. Null has not.
    is_empty = (operator in _PARTS and values == ("",)) or (operator == "has" and values[0] == ())
    is_wild = operator in {"like", "ilike"} and bool(values[0]) and not str(values[0]).strip("%")
    return True if is_empty or is_wild else None


_PARTS = frozenset({"contains", "starts_with", "ends_with", "icontains", "istarts_with", "iends_with"})
