"""Moments that are counted from now: `0s`, `-10m`, `1d12h`."""

import datetime as dt
import re

__all__ = ["parse_offset"]

_MOST = dt.timedelta(days=365 * 1000)  # further than that, moments have no place in a database
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_PART = re.compile(r"(\d{1,9})([wdhms])")
_WHOLE = re.compile(rf"([+-]?)((?:{_PART.pattern})+)")


def parse_offset(text: object) -> dt.timedelta:
    """How far from now a moment is.

    Raises:
        ValueError: it is not numbers with units, such as `-10m`.
    """
    match = _WHOLE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r} is no distance from now; write '0s', '-10m' or '1d12h' (w, d, h, m, s)")
    try:
        offset = sum(
            (dt.timedelta(**{_UNITS[unit]: int(number)}) for number, unit in _PART.findall(match[2])), dt.timedelta()
        )
    except OverflowError:
        raise ValueError(f"{text!r} is further from now than time can be told") from None
    if offset > _MOST:
        raise ValueError(f"{text!r} is further from now than {_MOST.days // 365} years")
    return -offset if match[1] == "-" else offset
