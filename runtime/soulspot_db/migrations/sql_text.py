"""SQL texts that mean the same, made equal: SQLite keeps every CREATE as somebody wrote it."""

import re
from collections.abc import Iterator, Sequence

__all__ = ["checks_of", "collations_of", "normal", "parts_of_index", "tokens"]

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<text>[xX]?'(?:[^']|'')*')
  | (?P<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\])
  | (?P<word>\w+(?:\.\d+)?)
  | (?P<sign><>|<=|>=|==|!=|\|\||<<|>>|->>?|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"[A-Za-z_]\w*")


def tokens(sql: str) -> list[str]:
    """The words and signs of a text; names without needless quotes, and all but values in lower case."""
    return list(_tokens(sql))


def _tokens(sql: str) -> Iterator[str]:
    for match in _TOKEN.finditer(sql):
        found = match[0]
        if match.lastgroup == "name":
            mark = "]" if found[0] == "[" else found[0]
            name = found[1:-1].replace(mark * 2, mark)
            yield name.lower() if _PLAIN.fullmatch(name) else f'"{name.lower()}"'
        elif match.lastgroup == "text":
            yield found
        elif match.lastgroup != "space":
            yield found.lower()


def normal(sql: str) -> str:
    """A text in one spelling, without parentheses around all of it."""
    return " ".join(_bare(tokens(sql)))


def checks_of(create_table: str) -> dict[str, str]:
    """The CHECKs of a table by name; one without a name is named by its condition."""
    found = tokens(create_table)
    checks = {}
    for at, word in enumerate(found):
        if word == "check" and found[at + 1 : at + 2] == ["("]:
            condition = " ".join(_bare(found[at + 1 : _closing(found, at + 1) + 1]))
            named = at >= 2 and found[at - 2] == "constraint"
            checks[found[at - 1] if named else f"CHECK ({condition})"] = condition
    return checks


def collations_of(create_table: str) -> dict[str, str]:
    """The collations of a table's columns, where they are not SQLite's own BINARY."""
    found = tokens(create_table)
    start = found.index("(") + 1 if "(" in found else len(found)
    collations = {}
    for part in _split(found[start : _closing(found, start - 1)]):
        if "collate" in part and part[0] not in {"constraint", "check", "primary", "unique", "foreign"}:
            depth = 0
            for at, word in enumerate(part[:-1]):
                depth += {"(": 1, ")": -1}.get(word, 0)
                if word == "collate" and depth == 0 and part[at + 1] != "binary":
                    collations[part[0]] = part[at + 1]
    return collations


def parts_of_index(create_index: str) -> tuple[str, str]:
    """What an index is over, and the condition of a partial one."""
    found = tokens(create_index)
    start = found.index("(", found.index("on"))
    end = _closing(found, start)
    parts = (" ".join(word for word in part if word != "asc") for part in _split(found[start + 1 : end]))
    return ", ".join(parts), " ".join(_bare(found[end + 2 :]))


def _closing(found: Sequence[str], opening: int) -> int:
    depth = 0
    for at in range(opening, len(found)):
        depth += {"(": 1, ")": -1}.get(found[at], 0)
        if depth == 0:
            return at
    return len(found)


def _bare(found: Sequence[str]) -> Sequence[str]:
    while found and found[0] == "(" and _closing(found, 0) == len(found) - 1:
        found = found[1:-1]
    return found


def _split(found: Sequence[str]) -> Iterator[Sequence[str]]:
    """The parts between commas that are in no parentheses."""
    depth = start = 0
    for at, word in enumerate(found):
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "," and depth == 0:
            yield found[start:at]
            start = at + 1
    if found[start:]:
        yield found[start:]
