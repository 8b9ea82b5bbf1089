"""SQL text taken apart as each database reads it: what is a name, a string, a comment, a parameter."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from soulspot_db.language.conditions import Dialect

__all__ = ["Token", "tokens"]

Kind: TypeAlias = Literal["space", "string", "quoted", "param", "foreign", "word", "number", "open", "sign"]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a text; `depth` says in how many parentheses it stands, those themselves stand outside of what is in them.

    A comment is a `space`, a quoted name `quoted`, `:name` a `param`; `foreign` is a parameter that only one database knows, and
    `open` the beginning of something that has no end.
    """

    kind: Kind
    text: str
    depth: int = 0

    @property
    def word(self) -> str:
        """The name or keyword in lower case, as databases compare those that are not quoted; nothing for everything else."""
        return self.text.lower() if self.kind == "word" else ""

    @property
    def name(self) -> str:
        """What it names, quoted or not; nothing for what is no name."""
        if self.kind != "quoted":
            return self.word
        mark = "]" if self.text[0] == "[" else self.text[0]
        return self.text[1:-1].replace(mark * 2, mark)


_WORD = r"(?P<word>[^\W\d][\w$]*)|(?P<number>\d[\w.]*)"
# What begins with two colons, or with one and an equals sign, is an operator.
_PARAM = r"(?P<cast>::|:=)|:(?=[^\W\d])(?P<param>\w+)"
_SIGN = r"(?P<sign>.)"
_PATTERNS: Mapping[Dialect, re.Pattern[str]] = {
    "sqlite": re.compile(
        r"(?P<space>\s+|--[^\n]*\n?|/\*.*?\*/)"
        r"|(?P<string>'(?:[^']|'')*')"
        r'|(?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])'
        rf"|{_PARAM}|(?P<foreign>\?\d*|[@#$]\w+|:\d\w*)|{_WORD}|(?P<open>['\"`\[]|/\*)|{_SIGN}",
        re.DOTALL,
    ),
    # Its comments are nested, which is for `_comment`.
    "postgresql": re.compile(
        r"(?P<space>\s+|--[^\n]*\n?)|(?P<comment>/\*)"
        r"|(?P<string>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)"
        r'|(?P<quoted>"(?:[^"]|"")*")'
        rf"|{_PARAM}|(?P<foreign>\$\d+)|{_WORD}|(?P<open>['\"]|\$\w*\$)|{_SIGN}",
        re.DOTALL,
    ),
}
_COMMENT = re.compile(r"/\*|\*/")


def tokens(text: str, dialect: Dialect) -> Iterator[Token]:
    """Every piece of a text, in order; together they are the text."""
    place = depth = 0
    while place < len(text):
        found = cast("re.Match[str]", _PATTERNS[dialect].match(text, place))  # the last alternative takes anything
        kind, piece = _kind(found), found[0]
        if kind == "comment":
            end = _comment_end(text, place)
            kind, piece = ("open", text[place:]) if end is None else ("space", text[place:end])
        if kind == "sign" and piece == ")":
            depth -= 1
        yield Token(cast("Kind", kind), piece, depth)
        if kind == "sign" and piece == "(":
            depth += 1
        place += len(piece)


def _kind(found: re.Match[str]) -> str:
    groups = (name for name, value in found.groupdict().items() if value is not None and name != "tag")
    name = next(groups)
    return "sign" if name == "cast" else name


def _comment_end(text: str, start: int) -> int | None:
    """Where a comment ends in which others may stand; None where it has no end."""
    depth = 0
    for mark in _COMMENT.finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return None
