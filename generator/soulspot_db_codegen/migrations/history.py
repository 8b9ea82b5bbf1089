"""The revisions on disk and `migrations.sum`, which chains them: an edited or missing one is found and named."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["History", "read_history", "sums_of"]

SUMS = "migrations.sum"


@dataclass(frozen=True, slots=True)
class History:
    """Revisions in order: their files' texts, the newest id, and the digest of the tables it leads to.

    `unrecorded` files lie beside them: somebody else's, or what a run that was killed has left.
    """

    files: Mapping[str, str]
    head: str | None
    schema: str | None
    unrecorded: Mapping[str, str]


def read_history(folder: Path) -> tuple[History, list[str]]:
    """Read the revisions of `folder`.

    Returns:
        The history, and what is wrong with it, one sentence a problem.
    """
    recorded = dict(_recorded(folder / SUMS))
    present = {path.name: _text(path) for path in sorted((folder / "versions").glob("*.py"))}
    problems = [f"{SUMS} names {name}, which is missing" for name in recorded if name not in present]
    files = {name: present[name] for name in recorded if name in present}
    unrecorded = {name: text for name, text in present.items() if name not in recorded}
    if not problems:
        for name, chained in sums_of(files).items():
            if recorded[name] != chained:
                problems.append(f"versions/{name} is not what was generated")
                break  # every later sum differs too, because each contains the one before
    if problems or not files:
        return History(files, None, None, unrecorded), problems
    newest = _constants(list(files.values())[-1])
    return History(files, newest.get("revision"), newest.get("schema_after"), unrecorded), []


def sums_of(files: Mapping[str, str]) -> dict[str, str]:
    """The chained hash of every file, in order."""
    chained: dict[str, str] = {}
    last = ""
    for name, text in files.items():
        last = chained[name] = hashlib.sha256(f"{last}\n{name}\n{text}".encode()).hexdigest()
    return chained


def dump_sums(sums: Mapping[str, str]) -> str:
    """The text of `migrations.sum`."""
    return "".join(f"{chained}  {name}\n" for name, chained in sums.items())


def _recorded(path: Path) -> Iterator[tuple[str, str]]:
    for line in _text(path).splitlines() if path.is_file() else ():
        chained, _, name = line.partition("  ")
        yield name, chained


def _text(path: Path) -> str:
    # Git may have changed the line ends on the way; that is no edit.
    return path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")


def _constants(text: str) -> dict[str, str]:
    # As `generate` writes them; the files have just been found to be what it wrote.
    return dict(re.findall(r'^(revision|schema_after) = "([0-9a-f]+)"$', text, re.MULTILINE))
