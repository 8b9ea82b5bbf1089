"""The way out where SQLite stumbles over something that somebody has made by hand, read off what it says."""

import re

from soulspot_db.language.conditions import quoted

__all__ = ["way_out"]

_IN = re.compile(r"error in (view|trigger) (.+?)(?: after \w+)?: ")
_TAKEN = re.compile(r"(table|index|view) (.+) already exists")
_TAKEN_BY_OTHER = re.compile(r"there is already another (table) or index with this name: (.+)")


def way_out(reason: str) -> tuple[str, ...]:
    """What to do about SQLite's message, in steps."""
    if match := _IN.search(reason):
        return (
            f"Keep its text, then drop it: {_drop(match)}",
            "Run `soulspot-db migrate` again, and make it anew for the tables as they are then.",
        )
    if match := _TAKEN.search(reason) or _TAKEN_BY_OTHER.search(reason):
        return (
            f"Look at what it is, then rename or drop it: {_drop(match)}",
            "Run `soulspot-db migrate` again.",
        )
    return ("Correct what the message names and run `soulspot-db migrate` again.",)


def _drop(match: re.Match[str]) -> str:
    name = match[2].strip('"')
    return f"DROP {match[1].upper()} {quoted(name)};"
