"""Which values that a SELECT selects may be null though their columns are not: careful, where the text is hard to follow."""

from collections.abc import Collection, Iterator, Sequence

from soulspot_db.language.sql_statement import SqlStatement
from soulspot_db.language.sql_tokens import Token

__all__ = ["may_lack_rows"]

_AGGREGATES = frozenset(
    {
        "avg",
        "count",
        "group_concat",
        "json_group_array",
        "json_group_object",
        "max",
        "min",
        "string_agg",
        "sum",
        "total",
    }
)
_CLAUSES = frozenset({"select", "from", "where", "group", "having", "window", "order", "limit"})
_NESTED = frozenset({"select", "values", "with"})


def may_lack_rows(statement: SqlStatement, place: int, table: str) -> bool:
    """Whether a value can come from a row that is not there.

    Args:
        statement: a SELECT.
        place: which of the values that it selects.
        table: the table of the column that the value comes from.
    """
    if statement.words[0] == "with" or not _is_column(statement.items[place]):
        return True
    marks = list(_own(statement))
    if "from" in _with_subqueries(marks) or _is_total(marks):
        return True
    outer = _outer_joined(marks)
    return outer is None or table in outer


def _is_column(item: Sequence[Token]) -> bool:
    """Whether it is a column by its name, and not another SELECT, which may find no row."""
    plain = item[:-2] if len(item) > 2 and item[-2].word == "as" else item
    return len(plain) == 1 or (len(plain) == 3 and plain[1].text == ".")


def _own(statement: SqlStatement) -> Iterator[Token]:
    """The statement; of the SELECTs within it only their first words."""
    inside: int | None = None
    before = statement.marks[0]
    for mark in statement.marks:
        if inside is None or mark.depth <= inside:
            inside = before.depth if before.text == "(" and mark.word in _NESTED else None
            yield mark
        before = mark


def _with_subqueries(marks: Sequence[Token]) -> Iterator[str]:
    """The clause in which each of the SELECTs within a statement stands."""
    clause = ""
    for mark in marks:
        if mark.depth and mark.word in _NESTED:
            yield clause
        elif not mark.depth and mark.word in _CLAUSES:
            clause = mark.word


def _is_total(marks: Sequence[Token]) -> bool:
    """Whether it is one row of all rows, of which the columns are null where there is none."""
    if any(mark.word == "group" for mark in marks):
        return False
    return any(_is_over_rows(marks, at) for at in range(len(marks) - 1))


def _is_over_rows(marks: Sequence[Token], at: int) -> bool:
    """Whether here is a function over rows, and not over a window, of which there are as many as rows."""
    if marks[at].word not in _AGGREGATES or marks[at + 1].text != "(":
        return False
    after = _after(marks, at + 1)
    if after < len(marks) and marks[after].word == "filter":
        after = _after(marks, after + 1)
    return after >= len(marks) or marks[after].word != "over"


def _after(marks: Sequence[Token], opening: int) -> int:
    """The place behind the parenthesis that closes this one."""
    depth = marks[opening].depth
    closing = (at for at in range(opening + 1, len(marks)) if marks[at].depth == depth)
    return next(closing, len(marks)) + 1


def _outer_joined(marks: Sequence[Token]) -> Collection[str] | None:
    """The tables that are joined where there may be no row; None where that can be any."""
    found = set()
    words = [mark.word for mark in marks] + [""] * 4
    for at, word in enumerate(words[:-4]):
        if word in {"left", "right", "full"} and words[at + 1] == "natural":
            return None
        if words[at + 1] not in {"join", "outer"}:
            continue
        if word in {"right", "full"}:
            return None
        if word == "left":
            place = at + 2 + (words[at + 1] == "outer")
            table, behind = (marks[place] if place < len(marks) else marks[at]), marks[place + 1 : place + 2]
            if not table.name or table.word == "lateral" or (behind and behind[0].text == "."):
                return None
            found.add(table.name.lower())
    return found
