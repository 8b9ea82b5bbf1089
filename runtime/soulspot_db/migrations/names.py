"""Revisions as a person names them: by an id, or how it begins, or by the file and its number."""

from collections.abc import Iterable
from pathlib import Path

from alembic.script import ScriptDirectory

from soulspot_db.errors import MigrationError
from soulspot_db.migrations.looks import losses_of
from soulspot_db.migrations.revisions import Status, compare

__all__ = ["allowed_ids", "target_of"]


def target_of(script: ScriptDirectory, to: str | None) -> str | None:
    """The revision that `to` means: the newest, one by its id or its file, or None for "none".

    Raises:
        MigrationError: there is none, or there are several.
    """
    if to in {None, "head"}:
        return compare(script, None).head
    if to == "none":
        return None
    return _named(
        script,
        str(to),
        "Write an id, or the number of a file in versions/: `soulspot-db migrate --status` lists the last ids.",
        "`none` is before the first.",
    )


def allowed_ids(script: ScriptDirectory, state: Status, allowed: Iterable[str]) -> frozenset[str]:
    """The revisions that may lose something, by their whole ids.

    Args:
        script: the revisions.
        state: where the database is.
        allowed: ids, or how they begin, or files.

    Raises:
        MigrationError: one of them means no revision, or several; those that are pending and lose something are listed.
    """
    lossy = [f"{id} ({title})" for id, title in state.pending if any(losses_of(Path(script.get_revision(id).path)))]
    listed = f"Pending, and losing something: {', '.join(lossy)}." if lossy else "No pending revision loses anything."
    return frozenset(_named(script, name, listed, "Nothing was changed.") for name in allowed)


def _named(script: ScriptDirectory, name: str, *steps: str) -> str:
    files = {revision.revision: Path(revision.path) for revision in script.walk_revisions()}
    exact = [id for id, file in files.items() if name in {id, file.name, file.stem, file.stem.partition("_")[0]}]
    found = exact or [id for id in files if name and id.startswith(name)]
    if len(found) == 1:
        return found[0]
    message = f"{name} means several revisions: {', '.join(found)}" if found else f"there is no revision {name}"
    raise MigrationError(message, *steps, operation="migrate")
