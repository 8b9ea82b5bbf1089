"""Who may read and write: SoulSpot must be able to, everybody else need not."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, must, note, ok
from soulspot_db.migrations.locate import project_root

__all__ = ["env_file", "files"]

_SECRET = re.compile(
    r"^\s*(?:export\s+)?(DATABASE_PASSWORD|CACHE_PASSWORD|ENCRYPTION_KEYS)[ \t]*=[ \t]*\S", re.IGNORECASE | re.MULTILINE
)


def files(case: Case) -> Iterator[Finding]:
    """The file, its folder, and what SQLite keeps beside it."""
    path = case.settings.database_path.absolute()
    if not path.parent.is_dir():
        yield note(f"not looked at: there is no folder {path.parent}")
        return
    found: list[Finding] = []
    refused = [str(file) for file in case.files if not os.access(file, os.R_OK | os.W_OK)]
    if not os.access(path.parent, os.W_OK | os.X_OK):
        refused.append(f"the folder {path.parent}")
    if refused:
        found.append(
            must(
                f"the user of this process may not write {', '.join(refused)}",
                "Give the user who runs SoulSpot the right to, or mount the disk writable.",
                "If another user runs SoulSpot, run this command as that one.",
            )
        )
    if len({file.stat().st_uid for file in case.files}) > 1:
        found.append(
            must(
                f"{', '.join(file.name for file in case.files)} belong to different users, so that one of them cannot write",
                f"Stop SoulSpot, and give all of them to the user who runs it: chown USER {path}*",
            )
        )
    if any(_is_open(file, stat.S_IROTH | stat.S_IWOTH) for file in case.files):
        found.append(
            note(
                "every user of this machine can read what is stored",
                f"Close it: chmod o-rwx {' '.join(map(str, case.files))}",
            )
        )
    yield from found or [ok("the file and its folder can be written to")]


def env_file(_case: Case) -> Iterator[Finding]:
    """The `.env` files that commands read, where a secret is in them."""
    root = project_root(Path.cwd())
    read = {folder / ".env" for folder in (root, Path.cwd()) if folder is not None}
    open_ = [file for file in sorted(read) if file.is_file() and _is_open(file, stat.S_IROTH) and _has_secret(file)]
    for file in open_:
        yield note(f"every user of this machine can read the secrets in {file}", f"Close it: chmod 600 {file}")
    if not open_:
        yield ok("no secret lies open")


def _has_secret(file: Path) -> bool:
    return _SECRET.search(file.read_text("utf-8", errors="replace")) is not None


def _is_open(file: Path, bits: int) -> bool:
    """Whether other users have one of these rights, and a way to the file."""
    resolved = file.resolve()
    return bool(resolved.stat().st_mode & bits) and all(
        folder.stat().st_mode & stat.S_IXOTH for folder in resolved.parents
    )
