"""One SQL statement of a named query, read as far as we must understand it: what it does, selects, and asks for."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Literal, TypeAlias, cast

from soulspot_db.language.conditions import Dialect, quoted
from soulspot_db.language.sql_tokens import Token, tokens

__all__ = ["SqlError", "SqlStatement", "SqlVerb", "read_statement"]

SqlVerb: TypeAlias = Literal["select", "insert", "update", "delete"]

_VERBS = frozenset({"select", "insert", "update", "delete"})
_COMPOUND = frozenset({"union", "intersect", "except"})
_AFTER_SELECTED = _COMPOUND | {
    *("from", "where", "group", "having", "window", "order", "limit", "offset", "fetch", "for")
}
_AFTER_TABLE = frozenset({"set", "where", "using", "values", "select", "default", "with"})
# After these there may be no row, or several.
_AFTER_TOTAL = (_AFTER_SELECTED - {"from", "where", "window", "order", "for"}) | {"over"}


class SqlError(ValueError):
    """A text that cannot be the SQL of a query."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class SqlStatement:
    """A statement in one line, without comments and a semicolon at its end."""

    dialect: Dialect
    pieces: tuple[Token, ...]
    verb: SqlVerb

    def __str__(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    @cached_property
    def marks(self) -> tuple[Token, ...]:
        """The pieces that are no space."""
        return tuple(piece for piece in self.pieces if piece.kind != "space")

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The names and keywords that are not quoted, in lower case."""
        return tuple(piece.word for piece in self.pieces if piece.word)

    @property
    def params(self) -> tuple[str, ...]:
        """The parameters, as often as they occur."""
        return tuple(piece.text[1:] for piece in self.pieces if piece.kind == "param")

    @cached_property
    def target(self) -> tuple[str, str]:
        """The table that is written, and the name that it has in the statement, quoted if that is."""
        at = self._verb_at + 1
        if self.verb in {"insert", "delete"}:
            self._expect(at, "into" if self.verb == "insert" else "from")
            at += 1
        table = self._name(at)
        after = self._at(at + 1)
        if after.word == "as":
            return table.name, self._name(at + 2).text
        # What follows a table without a name of its own is a clause or the list of columns.
        is_alias = bool(after.name) and after.word not in _AFTER_TABLE
        return table.name, after.text if is_alias else table.text

    @cached_property
    def inserted(self) -> tuple[str, ...] | None:
        """The columns that an INSERT names, None where it names none."""
        opening = next((at for at, mark in enumerate(self.marks) if at > self._verb_at and mark.text == "("), 0)
        before = self._at(opening - 1)
        if not opening or before.depth or before.text not in {self.target[1], self.target[0]}:
            return None
        return tuple(mark.name for mark in self._until_closed(opening) if mark.name)

    @cached_property
    def assigned(self) -> tuple[str, ...]:
        """The columns that an UPDATE sets."""
        found: list[str] = []
        begins = False
        for at, mark in enumerate(self.marks[self._verb_at :], self._verb_at):
            if mark.depth:
                continue
            if found and not begins and mark.word in {"from", "where"}:
                break
            if begins:
                names = self._until_closed(at) if mark.text == "(" else [self._name(at)]
                found += [name.name for name in names if name.name]
            begins = mark.word == "set" or (bool(found) and mark.text == ",")
        return tuple(found)

    @property
    def has_where(self) -> bool:
        """Whether a condition says which rows are written."""
        return any(mark.word == "where" and not mark.depth for mark in self.marks[self._verb_at :])

    @cached_property
    def items(self) -> tuple[tuple[Token, ...], ...]:
        """What a SELECT selects, each as its pieces."""
        found: list[list[Token]] = [[]]
        for mark in self.marks[self._selected_at :]:
            if not mark.depth and mark.word in _AFTER_SELECTED:
                break
            if not mark.depth and mark.text == ",":
                found.append([])
            else:
                found[-1].append(mark)
        return tuple(map(tuple, found))

    @property
    def selected(self) -> tuple[str, ...]:
        """The names of what a SELECT selects; `*` for all columns, nothing for what has no name."""
        return tuple(map(_name, self.items))

    def expanded(self, columns: Sequence[str]) -> "SqlStatement":
        """The statement with `columns` by name in place of a `*` that is all that it selects.

        The order of columns in a database is that in which they were added, which no schema tells.
        """
        if self.selected != ("*",):
            return self
        *owner, star = self.items[0]
        listed = (f", {owner[0].text}." if owner else ", ").join(map(quoted, columns))
        at = next(at for at, piece in enumerate(self.pieces) if piece is star)
        return replace(self, pieces=(*self.pieces[:at], *tokens(listed, self.dialect), *self.pieces[at + 1 :]))

    @property
    def counts(self) -> bool:
        """Whether all that it selects is one number of all rows."""
        words = [mark.word or mark.text for mark in self.items[0] if not mark.depth]
        if words[3:5] == ["filter", "("]:
            del words[3:6]
        is_number = words[:3] == ["count", "(", ")"] and (len(words) == 3 or words[3] == "as" or len(words) == 4)
        is_one_row = not any(mark.word in _AFTER_TOTAL and not mark.depth for mark in self.marks)
        return len(self.items) == 1 and is_number and is_one_row

    @property
    def is_compound(self) -> bool:
        """Whether rows of several SELECTs are put together, here or in one of its parts."""
        return not _COMPOUND.isdisjoint(self.words)

    @property
    def has_late_star(self) -> bool:
        """Whether a `*` that is not expanded stands in rows that are put together, where the order of columns says which meet."""
        depths = {mark.depth for mark in self.marks if mark.word in _COMPOUND}
        first = self.items[0][-1] if self.selected == ("*",) else None
        return any(
            mark.text == "*"
            and mark is not first
            and mark.depth in depths
            and (before.word in {"select", "all", "distinct"} or before.text in {",", "."})
            for before, mark in pairwise(self.marks)
        )

    def mentioned(self, names: Collection[str]) -> set[str]:
        """Those of `names` that occur in it, whatever they mean there."""
        return {piece.name.lower() for piece in self.pieces}.intersection(names)

    def bound(self, types: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
        """The text as the driver takes it, and the parameters whose values it takes, in order.

        Args:
            types: the type of each parameter in PostgreSQL, which must not have to guess.
        """
        if self.dialect == "sqlite":
            return "".join("?" if piece.kind == "param" else piece.text for piece in self.pieces), self.params
        names = tuple(dict.fromkeys(self.params))
        places = {f":{name}": f"CAST(${number} AS {types[name]})" for number, name in enumerate(names, 1)}
        return "".join(places[piece.text] if piece.kind == "param" else piece.text for piece in self.pieces), names

    def returning(self, columns: Sequence[str]) -> "SqlStatement":
        """A statement that writes, and returns these columns of the rows that it wrote."""
        # PostgreSQL could return those of other tables, too; SQLite knows no other, and not by that name.
        owner = f"{self.target[1]}." if self.dialect == "postgresql" else ""
        listed = ", ".join(owner + quoted(column) for column in columns)
        return replace(self, pieces=(*self.pieces, *tokens(f" RETURNING {listed}", self.dialect)))

    @cached_property
    def _verb_at(self) -> int:
        return next(at for at, mark in enumerate(self.marks) if mark.word in _VERBS and not mark.depth)

    @property
    def _selected_at(self) -> int:
        at = self._verb_at + 1
        if self._at(at).word in {"distinct", "all"}:
            at += 1
        if self._at(at).word == "on":
            at += len(list(self._until_closed(at + 1))) + 3
        return at

    def _at(self, place: int) -> Token:
        return self.marks[place] if place < len(self.marks) else Token("space", "")

    def _until_closed(self, opening: int) -> Iterator[Token]:
        """What stands in these parentheses."""
        for mark in self.marks[opening + 1 :]:
            if mark.depth <= self.marks[opening].depth:
                return
            yield mark

    def _expect(self, place: int, word: str) -> None:
        if self._at(place).word != word:
            raise SqlError(f"expected {word.upper()} after {self._at(place - 1).text}")

    def _name(self, place: int) -> Token:
        found = self._at(place)
        if not found.name:
            raise SqlError(f"expected a name after {self._at(place - 1).text}")
        return found


def read_statement(text: str, dialect: Dialect) -> SqlStatement:
    """Read one statement.

    Raises:
        SqlError: it is not one, or not one that a query may be.
    """
    pieces: list[Token] = []
    for piece in tokens(text, dialect):
        if piece.kind == "open":
            raise SqlError(f"what begins with {piece.text[:2]} has no end")
        if piece.text.startswith("--") and not piece.text.endswith("\n"):
            hint = "what YAML folds is one line: write /* ... */, or the text behind `|`"
            raise SqlError("a comment that begins with -- takes all the rest", hint)
        if piece.kind == "foreign":
            raise SqlError(f"{piece.text} is not possible: a parameter is written :name")
        if piece.kind != "space":
            pieces.append(piece)
        elif pieces and pieces[-1].kind != "space":
            pieces.append(replace(piece, text=" "))
    while pieces and (pieces[-1].kind == "space" or pieces[-1].text == ";"):
        pieces.pop()
    if any(piece.text == ";" for piece in pieces):
        raise SqlError("a query is one statement", "make two queries of it, and call them in a transaction")
    first = next((piece.word for piece in pieces), "")
    verb = next((piece.word for piece in pieces if piece.word in _VERBS and not piece.depth), None)
    if verb is None or first not in {verb, "with"}:
        raise SqlError("a query is a SELECT, an INSERT, an UPDATE or a DELETE, which may begin with WITH")
    statement = SqlStatement(dialect, tuple(pieces), cast("SqlVerb", verb))
    _check_writes(statement)
    return statement


def _check_writes(statement: SqlStatement) -> None:
    """Refuse what we could not follow: a row that is written unseen, or returned instead of what we must know."""
    marks = statement.marks
    writes = [at for at, mark in enumerate(marks) if mark.word in {*_VERBS, "merge", "replace"} - {"select"}]
    # A function may be called so, as `replace` and PostgreSQL's `insert` are not; and rows may be locked FOR UPDATE.
    writes = [
        at
        for at in writes
        if not (marks[at].word == "replace" and marks[at + 1 : at + 2] and marks[at + 1].text == "(")
        and not (at and marks[at - 1].word in {"for", "key"})
    ]
    words = statement.words
    if "returning" in words:
        raise SqlError("RETURNING is added by itself", "say 'returns: many' or 'returns: one' for the rows")
    if statement.verb == "select" and "into" in words:
        raise SqlError("SELECT INTO makes a table, which is for migrations")
    if "conflict" in words and "nothing" not in words:
        raise SqlError("ON CONFLICT DO UPDATE does not tell which rows are new", "use 'upsert' in place of 'sql'")
    if any(marks[at + 1].word == "or" for at in writes if at + 1 < len(marks)):
        raise SqlError(f"{statement.verb.upper()} OR ... could delete rows that nobody is told of")
    if statement.verb in {"update", "delete"} and any(
        mark.word in {"order", "limit"} and not mark.depth for mark in marks
    ):
        hint = "choose the rows in a SELECT: WHERE key IN (SELECT key ... ORDER BY ... LIMIT ...), or use 'claim'"
        raise SqlError(f"ORDER BY and LIMIT of {statement.verb.upper()} are not known to every database", hint)
    if len(writes) > (statement.verb != "select"):
        raise SqlError("a query writes once", "make two queries of it; quote the word if a column is meant")


def _name(item: Sequence[Token]) -> str:
    if _is_star(item):
        return "*"
    # Without AS, what stands last may be a name, or the end of a condition.
    named = len(item) == 1 or (len(item) == 3 and item[1].text == ".") or (len(item) > 1 and item[-2].word == "as")
    return item[-1].name if named else ""


def _is_star(item: Sequence[Token]) -> bool:
    return bool(item) and item[-1].text == "*" and (len(item) == 1 or (len(item) == 3 and item[1].text == "."))
