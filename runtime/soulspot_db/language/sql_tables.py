"""Which tables a statement names, and what it calls them."""

from collections.abc import Container, Iterator, Sequence

from soulspot_db.language.sql_tokens import Token

__all__ = ["named_tables"]

# What stands before a table, and what stands after one that has no other name.
_BEFORE = frozenset({"from", "join", "update", "into", "using", ","})
_AFTER = frozenset(
    {"as", "cross", "full", "group", "indexed", "inner", "join", "left", "limit", "natural", "not", "on"}
)
_CLAUSES = frozenset({"order", "right", "set", "union", "using", "values", "where", "window", "intersect", "except"})
_LATER = frozenset({"fetch", "for", "having", "offset", "returning"})


def named_tables(marks: Sequence[Token], tables: Container[str]) -> Iterator[tuple[str, str]]:
    """The tables by what they are called in a statement, in lower case, as databases do not tell names apart by it.

    Args:
        marks: its pieces that are no space.
        tables: the names of all tables that may be meant.
    """
    ends = Token("space", "")
    for before, mark, after, last in zip(
        [ends, *marks], marks, [*marks[1:], ends], [*marks[2:], ends, ends], strict=False
    ):
        if mark.name not in tables or (before.word or before.text) not in _BEFORE:
            continue
        if after.word == "as":
            yield last.name.lower(), mark.name
        else:
            name = after.name if after.name and after.word not in _AFTER | _CLAUSES | _LATER else mark.name
            yield name.lower(), mark.name
