"""From one field type to another: the SQLite that converts a stored value, what it loses, and what it cannot take.

Whether a converted value fits its new column is not said here: the column's own CHECK says it, and is asked before.
"""

from dataclasses import dataclass

from soulspot_db.language.table import TypeSpec

__all__ = ["MAX_EXACT", "TEXTS", "Conversion", "conversion", "outside"]

TEXTS = frozenset({"string", "text", "enum"})
_WRITTEN = frozenset({"uuid", "date", "time", "datetime"})  # stored as text of one form, which a CHECK asks for
_JSON = frozenset({"json", "list"})  # stored as text, too, but of a form and with items that no CHECK asks for
MAX_EXACT = 2**53  # the largest whole numbers that a double tells apart
_MAX_DIGITS = 15  # as many digits of a decimal as any double gives back; near zero they are fewer


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


def outside(largest: int) -> str:
    """The condition for a number that is larger, either way."""
    # Not `abs`, which fails on the smallest of all numbers.
    return f"{{value}} NOT BETWEEN -{largest} AND {largest}"


_SAME = Conversion(back=True)
_AS_IT_IS = Conversion()

# The digits that count, of text that is a number: without exponent, sign and point, and zeros at either end.
_MANTISSA = "substr({value}, 1, instr(lower({value}) || 'e', 'e') - 1)"
_DIGITS = f"trim(replace(replace({_MANTISSA}, '-', ''), '.', ''), '0')"
_REAL = "CAST({value} AS REAL)"

_SIMPLE: dict[tuple[str, str], Conversion] = {
    ("boolean", "integer"): _AS_IT_IS,
    ("integer", "boolean"): _AS_IT_IS,
    ("list", "json"): _AS_IT_IS,
    ("integer", "float"): Conversion("CAST({value} AS REAL)", lossy=outside(MAX_EXACT)),
    ("float", "integer"): Conversion(
        "CAST({value} AS INTEGER)", lossy="{value} <> CAST({value} AS INTEGER)", impossible="abs({value}) >= 9.2e18"
    ),
    ("date", "datetime"): Conversion("{value} || ' 00:00:00.000000'"),
    ("datetime", "date"): Conversion("substr({value}, 1, 10)", lossy="substr({value}, 11) <> ' 00:00:00.000000'"),
}
for _text in TEXTS:
    _SIMPLE["boolean", _text] = Conversion("CASE {value} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END")
    _SIMPLE["integer", _text] = Conversion("CAST({value} AS TEXT)")
    _SIMPLE[_text, "integer"] = Conversion(
        "CAST({value} AS INTEGER)", impossible="CAST(CAST({value} AS INTEGER) AS TEXT) <> {value}"
    )
    _SIMPLE[_text, "float"] = Conversion(
        _REAL,
        lossy=f"length({_DIGITS}) > {_MAX_DIGITS} OR (abs({_REAL}) < 1e-300 AND {_DIGITS} <> '')",
        # To older versions of SQLite, NULL is no valid JSON.
        impossible="{value} IS NOT NULL AND (NOT json_valid({value}) OR json_type({value}) NOT IN ('integer', 'real')"
        f" OR abs({_REAL}) > 1.7976931348623157e308)",
    )


def conversion(before: TypeSpec, after: TypeSpec) -> Conversion | None:
    """How a column of one type becomes one of another; None where nobody can say."""
    old, new = before["name"], after["name"]
    if after.get("encrypted") or before.get("encrypted"):
        return _encrypted(before, after)
    if before == after or (old in TEXTS and new in TEXTS) or (old == new == "list" and _same_items(before, after)):
        return _SAME
    if old in _WRITTEN | _JSON and new in TEXTS:
        return _AS_IT_IS
    if old in TEXTS and new in _WRITTEN:
        return _AS_IT_IS  # the new column's CHECK refuses what is none
    if "decimal" in {old, new}:
        return _decimal(before, after)
    return _SIMPLE.get((old, new))


def _encrypted(before: TypeSpec, after: TypeSpec) -> Conversion | None:
    """Values stay as they are: `soulspot-db keys rotate` encrypts them, because SQL has no keys."""
    old, new = before["name"], after["name"]
    if not after.get("encrypted") or not (old == new or (old in TEXTS and new in TEXTS)):
        return None
    return _SAME if before.get("encrypted") else _AS_IT_IS


def _same_items(before: TypeSpec, after: TypeSpec) -> bool:
    """Whether stored items can be read as before. Of lists that were recorded without their items, nobody knows better."""
    old, new = before.get("items"), after.get("items")
    return old in {new, None} or new is None or {old, new} <= {"string", "text"}


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
    if old in TEXTS:
        return _decimal_of_text(digits, scale)
    if new == "float":
        return Conversion(f"{{value}} / {10 ** before.get('scale', 0)}.0", lossy=outside(MAX_EXACT))
    if old not in {"decimal", "integer"} or new not in {"decimal", "integer"}:
        return None
    shift = scale - before.get("scale", 0)
    if shift >= 0:
        largest = 10 ** max(digits - shift, 0) - 1
        return Conversion(f"{{value}} * {10**shift}", impossible=outside(largest))
    return Conversion(
        f"{{value}} / {10**-shift}",
        lossy=f"{{value}} % {10**-shift} <> 0",
        impossible=outside(10 ** (digits - shift) - 1),
    )


def _decimal_of_text(digits: int, scale: int) -> Conversion:
    """By the digits themselves, without the point and with as many zeros as are missing behind it: no double comes between."""
    behind = "CASE instr({value}, '.') WHEN 0 THEN 0 ELSE length({value}) - instr({value}, '.') END"
    scaled = f"replace({{value}}, '.', '') || substr('{'0' * scale}', 1, {scale} - {behind})"
    return Conversion(
        f"CAST({scaled} AS INTEGER)",
        # A number of JSON without an exponent, and without the spaces that JSON has around it.
        impossible="{value} IS NOT NULL AND ({value} GLOB '*[^-.0-9]*' OR NOT json_valid({value}) "
        f"OR {behind} > {scale} OR length(ltrim(replace({scaled}, '-', ''), '0')) > {digits})",
    )
