"""The revisions on disk and `migrations.sum`, which chains them: an edited or missing one is found and named."""

import ast
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from soulspot_db.language.conflicts import conflict_line
from soulspot_db.language.python_source import parsed

__all__ = [
    "BY_HAND",
    "SUMS",
    "History",
    "constants_of",
    "dump_sums",
    "history_of",
    "is_data",
    "read_history",
    "sums_of",
    "text_of",
]

SUMS = "migrations.sum"
BY_HAND = "# Written by hand; soulspot-db keeps its place"
_PLACE = ("revision", "down_revision", "schema_after")


@dataclass(frozen=True, slots=True)
class History:
    """Revisions in order: their files' texts, the newest id, and the digest of the tables it leads to.

    The last two are None where there are no revisions, and where the newest does not say them.
    `unrecorded` files lie beside them: somebody else's, or what a run that was killed has left.
    """

    files: Mapping[str, str]
    head: str | None
    schema: str | None
    unrecorded: Mapping[str, str]


def read_history(folder: Path, editable: Collection[str] = ()) -> tuple[History, list[str]]:
    """The history that a migrations folder has.

    Args:
        folder: with `migrations.sum` and `versions/`.
        editable: files that may be other than they were recorded.

    Returns:
        The history, and what is wrong with it, one sentence a problem.
    """
    sums = folder / SUMS
    present = {path.name: text_of(path.read_bytes()) for path in sorted((folder / "versions").glob("*.py"))}
    return history_of(text_of(sums.read_bytes()) if sums.is_file() else "", present, editable)


def history_of(sums: str, present: Mapping[str, str], editable: Collection[str] = ()) -> tuple[History, list[str]]:
    """The history that the text of `migrations.sum` and the files of `versions/` make; otherwise as `read_history`."""
    if (line := conflict_line(sums)) is not None:
        return History({}, None, None, present), [f"{SUMS} has an unresolved merge conflict at line {line}"]
    recorded = dict(_recorded(sums))
    problems = [f"{SUMS} names {name}, which is missing" for name in recorded if name not in present]
    files = {name: present[name] for name in recorded if name in present}
    unrecorded = {name: text for name, text in present.items() if name not in recorded}
    last = ""
    for name, text in files.items() if not problems else ():
        if recorded[name] != _chained(last, name, text) and name not in editable:
            problems.append(f"versions/{name} is not what was recorded")
        last = recorded[name]  # so that each file that was edited is told by itself
    if problems or not files:
        return History(files, None, None, unrecorded), problems
    try:
        newest = constants_of(list(files.values())[-1])
    except SyntaxError:
        newest = {}
    return History(files, newest.get("revision"), newest.get("schema_after"), unrecorded), []


def sums_of(files: Mapping[str, str]) -> dict[str, str]:
    """The chained hash of every file, in order."""
    chained: dict[str, str] = {}
    last = ""
    for name, text in files.items():
        last = chained[name] = _chained(last, name, text)
    return chained


def _chained(last: str, name: str, text: str) -> str:
    return hashlib.sha256(f"{last}\n{name}\n{text}".encode()).hexdigest()


def dump_sums(sums: Mapping[str, str]) -> str:
    """The text of `migrations.sum`."""
    return "".join(f"{chained}  {name}\n" for name, chained in sums.items())


def is_data(text: str) -> bool:
    """Whether a revision changes rows and no tables: a person writes it."""
    return text.startswith(BY_HAND) or re.search(r"^data\b[^=\n]*=\s*True\b", text, re.MULTILINE) is not None


def text_of(content: bytes) -> str:
    """The text of a file; git may have changed its line ends on the way, and that is no edit."""
    return content.decode("utf-8", "replace").replace("\r\n", "\n")


def _recorded(sums: str) -> Iterator[tuple[str, str]]:
    for line in sums.splitlines():
        chained, _, name = line.partition("  ")
        yield name, chained


def constants_of(text: str) -> dict[str, str]:
    """What a revision says of its place: `revision`, `down_revision`, `schema_after`, as far as they are plain text.

    They stand before its functions, which can be very long and are not looked at.

    Raises:
        SyntaxError: it is not Python.
    """
    found: dict[str, str] = {}
    for statement in parsed(text.partition("\ndef ")[0]).body:
        match statement:
            case ast.Assign([ast.Name(name)], ast.Constant(str(value))) | ast.AnnAssign(
                ast.Name(name), value=ast.Constant(str(value))
            ) if name in _PLACE:
                found[name] = value
            case _:
                pass
    return found
