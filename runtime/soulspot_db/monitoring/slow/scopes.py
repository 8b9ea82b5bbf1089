"""The parts of a statement that each find rows by themselves: what they read, under which conditions, in which order."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from soulspot_db.language.conditions import Dialect
from soulspot_db.language.sql_tables import named_tables
from soulspot_db.language.sql_tokens import Token, tokens
from soulspot_db.monitoring.slow.comparisons import Compared, Owner, comparisons, operand, outside, unwrapped

__all__ = ["Branches", "Ordered", "Scope", "scopes", "verb"]

_VERBS = frozenset({"select", "insert", "update", "delete", "replace", "merge"})
_COMPOUND = frozenset({"union", "intersect", "except"})
_SECTIONS = _VERBS | {
    *("from", "where", "group", "having", "window", "order", "limit", "offset", "fetch", "for", "set", "returning"),
    *("on", "using", "join", "left", "right", "inner", "cross", "natural", "full", "values"),
}
_GATHERS = frozenset(
    {"count", "sum", "avg", "min", "max", "total", "group_concat", "string_agg", "array_agg", "distinct", "over"}
)

Branches: TypeAlias = tuple[tuple[Compared, ...], ...]
"""A condition: one of these holds. What is compared in each; nothing where it is not known."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """What rows are ordered by."""

    alias: str
    column: str
    function: str | None
    descending: bool
    nulls_first: bool | None


@dataclass(frozen=True, slots=True)
class Scope:
    """A SELECT, an UPDATE or a DELETE, without what is in its subqueries; these are scopes themselves.

    All of `terms` hold for a row that it finds. `order` is empty where there is none, or one that is not of columns.
    """

    tables: Mapping[str, str]
    """The tables, by what it calls them."""
    terms: tuple[Branches, ...]
    order: tuple[Ordered, ...]
    limited: bool
    """It has a LIMIT."""
    gathers: bool
    """All that it finds is needed before there is a row."""

    @property
    def stops(self) -> bool:
        """Whether it stops reading with the last row that it returns."""
        return self.limited and not self.gathers and len(self.tables) == 1


def verb(sql: str, dialect: Dialect) -> str:
    """What a statement does, in lower case."""
    return next((mark.word for mark in tokens(sql, dialect) if mark.word in _VERBS and not mark.depth), "")


def scopes(sql: str, dialect: Dialect, columns: Mapping[str, Collection[str]]) -> list[Scope]:
    """The scopes of a statement.

    Args:
        sql: its text.
        dialect: whose text it is.
        columns: the columns of each table that there is.
    """
    return [_scope(part, columns) for part in _parts(_numbered(sql, dialect))]


def _numbered(sql: str, dialect: Dialect) -> Iterator[Token]:
    """The pieces that are no space, parameters with their place among the values."""
    count = 0
    for mark in tokens(sql, dialect):
        if mark.kind == "foreign":
            number = count if mark.text == "?" else int(mark.text[1:] if mark.text[1:].isdecimal() else 0) - 1
            count += 1
            yield replace(mark, text=f"?{number}")
        elif mark.kind != "space":
            yield mark


def _parts(marks: Iterator[Token]) -> list[list[Token]]:
    """The pieces of each scope; where there was a subquery stand its parentheses alone, as one piece."""
    given, found = list(marks), list[list[Token]]()
    open_: list[tuple[int, list[Token]]] = [(-1, [])]
    for at, mark in enumerate(given):
        depth, part = open_[-1]
        after = given[at + 1].word if at + 1 < len(given) else ""
        if mark.text == "(" and after in {"select", "with"}:
            part.append(replace(mark, text="()"))
            open_.append((mark.depth, []))
        elif mark.text == ")" and mark.depth == depth and len(open_) > 1:
            found.append(open_.pop()[1])
        elif mark.word in _COMPOUND and mark.depth == depth + 1:
            found.append(list(part))
            part.clear()
        else:
            part.append(mark)
    return [part for part in (*(part for _, part in open_), *found) if part]


def _scope(part: Sequence[Token], columns: Mapping[str, Collection[str]]) -> Scope:
    tables = dict(named_tables(part, columns))

    def owner(table: str | None, column: str) -> str | None:
        if table is not None:
            return table if table in tables and column in columns[tables[table]] else None
        having = [alias for alias, name in tables.items() if column in columns[name]]
        return having[0] if len(having) == 1 else None

    sections = list(_sections(part))
    conditions = [term for name, marks in sections if name in {"where", "on"} for term in _terms(marks)]
    order = next((marks for name, marks in sections if name == "order"), ())
    names = {name for name, _ in sections}
    selected = (mark.word for name, marks in sections if name in {"select", "window"} for mark in marks)
    return Scope(
        tables,
        tuple(_branches(term, owner) for term in conditions),
        _order(order, owner),
        limited=not names.isdisjoint({"limit", "fetch"}),
        gathers=not names.isdisjoint({"group", "having"}) or not _GATHERS.isdisjoint(selected),
    )


def _sections(part: Sequence[Token]) -> Iterator[tuple[str, Sequence[Token]]]:
    """The clauses, each with its first word."""
    places = [
        at
        for at, mark in outside(part)
        if mark.word in _SECTIONS
        and not (at + 1 < len(part) and part[at + 1].text == "(" and mark.word in {"left", "right", "replace"})
        and not (mark.word == "from" and part[at - 1].word == "distinct")
    ]
    for at, end in zip(places, [*places, len(part)][1:], strict=True):
        yield part[at].word, part[at + 1 : end]


def _split(marks: Sequence[Token], word: str) -> list[Sequence[Token]]:
    """What stands between these words, or signs; the AND of a BETWEEN is none of them."""
    found, begin, between = list[Sequence[Token]](), 0, False
    for at, mark in outside(marks):
        between = between or mark.word == "between"
        if (mark.word or mark.text) != word:
            continue
        if between and word == "and":
            between = False
            continue
        found.append(marks[begin:at])
        begin = at + 1
    return [*found, marks[begin:]]


def _terms(marks: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The conditions that hold together."""
    for term in _split(unwrapped(marks), "and"):
        inner = unwrapped(term)
        if len(inner) < len(term) and len(_split(inner, "or")) == 1:
            yield from _terms(inner)
        else:
            yield inner


def _branches(term: Sequence[Token], owner: Owner) -> Branches:
    return tuple(
        tuple(each for part in _terms(branch) for each in comparisons(part, owner)) for branch in _split(term, "or")
    )


def _order(marks: Sequence[Token], owner: Owner) -> tuple[Ordered, ...]:
    found = list[Ordered]()
    for term in _split(marks[1:], ","):  # after BY
        words = [mark.word for mark in term]
        ends = next((at for at, word in enumerate(words) if word in {"asc", "desc", "nulls"}), len(term))
        column = operand(term[:ends], owner)
        if column is None:
            return ()
        nulls = words[words.index("nulls") + 1] if "nulls" in words else None
        found.append(
            Ordered(*column, descending="desc" in words[ends:], nulls_first=None if nulls is None else nulls == "first")
        )
    return tuple(found)
