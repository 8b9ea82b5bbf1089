"""From one field type to another: the SQL that converts a stored value, what it loses, and what it cannot take.

Whether a converted value fits its new column is not said here: the column's own CHECK says it, and is asked before.
"""

from dataclasses import dataclass

from soulspot_db.language.table import TypeSpec

__all__ = ["Conversion", "conversion"]

_TEXTS = frozenset({"string", "text", "enum"})
_TO_TEXT = frozenset({"uuid", "date", "time", "datetime", "json", "list"})  # stored as text already
_MAX_EXACT = 2**53  # the largest whole numbers that a double tells apart


@dataclass(frozen=True, slots=True)
class Conversion:
    """How `{value}` becomes another type.

    `lossy` is true for a value of which something is lost, `impossible` for one that has no counterpart; None: there are
    no such values. `back` says whether the way back loses nothing that the way there kept.
    """

    sql: str = "{value}"
    lossy: str | None = None
    impossible: str | None = None
    back: bool = False


def _outside(largest: int) -> str:
    # Not `abs`, which fails on the smallest of all numbers.
    return f"{{value}} NOT BETWEEN -{largest} AND {largest}"


_SAME = Conversion(back=True)
_AS_IT_IS = Conversion()
# Text that is no JSON makes the CHECK of a list fail instead of answering; in its place stands what it answers no to.
_LIST = Conversion("CASE WHEN {value} IS NULL OR json_valid({value}) THEN {value} ELSE '0' END")

_SIMPLE: dict[tuple[str, str], Conversion] = {
    ("boolean", "integer"): _AS_IT_IS,
    ("integer", "boolean"): _AS_IT_IS,
    ("list", "json"): _AS_IT_IS,
    ("json", "list"): _AS_IT_IS,
    ("integer", "float"): Conversion("CAST({value} AS REAL)", lossy=_outside(_MAX_EXACT)),
    ("float", "integer"): Conversion(
        "CAST({value} AS INTEGER)", lossy="{value} <> CAST({value} AS INTEGER)", impossible="abs({value}) >= 9.2e18"
    ),
    ("date", "datetime"): Conversion("{value} || ' 00:00:00.000000'"),
    ("datetime", "date"): Conversion("substr({value}, 1, 10)", lossy="substr({value}, 11) <> ' 00:00:00.000000'"),
    ("boolean", "string"): Conversion("CASE {value} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"),
}
for _text in _TEXTS:
    _SIMPLE["integer", _text] = Conversion("CAST({value} AS TEXT)")
    _SIMPLE[_text, "integer"] = Conversion(
        "CAST({value} AS INTEGER)", impossible="CAST(CAST({value} AS INTEGER) AS TEXT) <> {value}"
    )
    _SIMPLE[_text, "float"] = Conversion(
        "CAST({value} AS REAL)",
        # To older versions of SQLite, NULL is no valid JSON.
        impossible="{value} IS NOT NULL AND (NOT json_valid({value}) OR json_type({value}) NOT IN ('integer', 'real'))",
    )


def conversion(before: TypeSpec, after: TypeSpec) -> Conversion | None:
    """How a column of one type becomes one of another; None where nobody can say."""
    old, new = before["name"], after["name"]
    if before == after or (old in _TEXTS and new in _TEXTS):
        return _SAME
    if old in _TO_TEXT and new in _TEXTS:
        return _AS_IT_IS
    if old in _TEXTS and new in _TO_TEXT:
        return _LIST if new == "list" else _AS_IT_IS  # the new column's CHECK refuses what is none
    if "decimal" in {old, new}:
        return _decimal(before, after)
    return _SIMPLE.get((old, new))


def _decimal(before: TypeSpec, after: TypeSpec) -> Conversion | None:
    """A decimal is stored as a whole number scaled by ten to the power of its scale."""
    old, new = before["name"], after["name"]
    digits, scale = after.get("precision", 18), after.get("scale", 0)
    if old == "float":
        scaled = f"round({{value}} * {10**scale}.0)"
        return Conversion(
            f"CAST({scaled} AS INTEGER)",
            lossy=f"{scaled} / {10**scale}.0 <> {{value}}",
            impossible=f"abs({scaled}) >= {10**digits}",  # after rounding, which may add a digit
        )
    if new == "float":
        return Conversion(f"{{value}} / {10 ** before.get('scale', 0)}.0", lossy=_outside(_MAX_EXACT))
    if old not in {"decimal", "integer"} or new not in {"decimal", "integer"}:
        return None
    shift = scale - before.get("scale", 0)
    if shift >= 0:
        largest = 10 ** max(digits - shift, 0) - 1
        return Conversion(f"{{value}} * {10**shift}", impossible=_outside(largest))
    return Conversion(
        f"{{value}} / {10**-shift}",
        lossy=f"{{value}} % {10**-shift} <> 0",
        impossible=_outside(10 ** (digits - shift) - 1),
    )
