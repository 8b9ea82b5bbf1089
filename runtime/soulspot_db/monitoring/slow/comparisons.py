"""One condition of a statement, read as far as an index could serve it: a column, compared with something else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from soulspot_db.language.conditions import quoted
from soulspot_db.language.sql_tokens import Token

__all__ = ["Compared", "Owner", "comparisons", "operand", "outside", "unwrapped"]

Kind: TypeAlias = Literal["equal", "listed", "null", "range", "like"]

Owner: TypeAlias = Callable[[str | None, str], str | None]
"""What a statement calls the table of a column: by what stands before the column, if anything, and its name."""

_KINDS: Mapping[str, Kind] = {
    "=": "equal",
    "==": "equal",
    "is": "equal",
    "in": "listed",
    "<": "range",
    ">": "range",
    "<=": "range",
    ">=": "range",
    "between": "range",
    "glob": "like",
    "like": "like",
}
_TURNED = {"=": "=", "==": "==", "is": "is", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_FUNCTIONS = frozenset({"lower", "upper"})


@dataclass(frozen=True, slots=True)
class Compared:
    """A column of a table, by what the statement calls it, perhaps through a function.

    `params` are the places, among the values of the statement, of those on the other side. `test` is the condition again, for another
    text, with `{}` for the column and `?` for each of them; None where the other side is not known without the rest of the statement.
    """

    alias: str
    column: str
    function: str | None
    kind: Kind
    test: str | None = None
    params: tuple[int, ...] = ()

    @property
    def part(self) -> str:
        """What an index would hold, as SQL."""
        return quoted(self.column) if self.function is None else f"{self.function}({quoted(self.column)})"


def comparisons(term: Sequence[Token], owner: Owner) -> Iterator[Compared]:
    """The columns that a condition without AND and OR compares, each as an index could serve it; none where it is of another kind.

    Args:
        term: its pieces; the text of a parameter is `?` and its place among the values.
        owner: finds the table of a column.
    """
    at = _operator_at(term)
    if at is None:
        return
    operator, width = _operator(term, at)
    left, right = term[:at], term[at + width :]
    found = operand(left, owner)
    if found is not None and operator in _KINDS and not _names(right, found[0], owner):
        yield _compared(found, operator, right)
    other = operand(right, owner)
    if other is not None and operator in _TURNED and not _names(left, other[0], owner):
        yield _compared(other, _TURNED[operator], left)


def operand(marks: Sequence[Token], owner: Owner) -> tuple[str, str, str | None] | None:
    """The table, the column and the function of what is a column, or a function of one that an index can hold."""
    marks, function = unwrapped(marks), None
    if len(marks) > len("f()") and marks[0].word in _FUNCTIONS and marks[1].text == "(" and marks[-1].text == ")":
        marks, function = marks[2:-1], marks[0].word
    match [mark.name or mark.text for mark in marks]:
        case [name] if marks[0].name:
            alias = owner(None, name)
        case [table, ".", name] if marks[0].name and marks[2].name:
            alias = owner(table.lower(), name)
        case _:
            return None
    return None if alias is None else (alias, name, function)


def unwrapped(marks: Sequence[Token]) -> Sequence[Token]:
    """What stands in parentheses that are around all of it."""
    while len(marks) > 1 and marks[0].text == "(" and next(_outside(marks[1:], marks[0].depth), None) is marks[-1]:
        marks = marks[1:-1]
    return marks


def _outside(marks: Sequence[Token], depth: int) -> Iterator[Token]:
    return (mark for mark in marks if mark.depth <= depth)


def outside(marks: Sequence[Token]) -> Iterator[tuple[int, Token]]:
    """The pieces that stand in no parentheses of their own, each with its place."""
    depth = min((mark.depth for mark in marks), default=0)
    return ((at, mark) for at, mark in enumerate(marks) if mark.depth == depth)


def _operator_at(term: Sequence[Token]) -> int | None:
    words = {*_KINDS, "not", "ilike", "regexp", "match", "~"}
    return next((at for at, mark in outside(term) if mark.text in {*"<>=!~"} or mark.word in words), None)


def _operator(term: Sequence[Token], at: int) -> tuple[str, int]:
    """The operator that begins there, and how many pieces it has."""
    text = term[at].word or term[at].text
    signs = text
    for mark in term[at + 1 : at + 2]:
        if text in {*"<>=!"} and mark.text in {*"<>="}:
            return signs + mark.text, 2
        if text == "is" and mark.word == "not":
            return "is not", 2
    return text, 1


def _compared(found: tuple[str, str, str | None], operator: str, other: Sequence[Token]) -> Compared:
    kind = _KINDS[operator]
    words = [mark.word for mark in other]
    params = tuple(int(mark.text[1:]) for mark in other if mark.kind == "foreign")
    if operator == "is" and words == ["null"]:
        kind = "null"
    elif operator == "=" and words[:1] == ["any"]:
        return Compared(*found, "listed", None, params)
    # What is no value is another column, a subquery or a function: only the whole statement knows it.
    is_known = all(
        mark.kind in {"foreign", "string", "number"} or mark.text in {*"(),-"} or mark.word in {"null", "and"}
        for mark in other
    )
    if not is_known or "()" in (mark.text for mark in other):
        return Compared(*found, kind, None, params)
    text = " ".join("?" if mark.kind == "foreign" else mark.text for mark in other)
    return Compared(*found, kind, f"{{}} {operator} {text.replace('{', '{{').replace('}', '}}')}", params)


def _names(marks: Sequence[Token], alias: str, owner: Owner) -> bool:
    """Whether a column of this table is among them, so that its rows are compared with themselves."""
    for at, mark in enumerate(marks):
        after = marks[at + 1].text if at + 1 < len(marks) else ""
        before = marks[at - 1].text if at else ""
        if not mark.name or after in {"(", "."}:
            continue
        table = marks[at - 2].name.lower() if before == "." and at > 1 else None
        if owner(table, mark.name) == alias:
            return True
    return False
