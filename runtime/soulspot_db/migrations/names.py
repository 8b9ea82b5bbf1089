"""Revisions as a person names them: by an id, or how it begins."""

from collections.abc import Iterable
from pathlib import Path

from alembic.script import ScriptDirectory

from soulspot_db.errors import MigrationError
from soulspot_db.migrations.revisions import Status, compare, losses_of

__all__ = ["allowed_ids", "target_of"]


def target_of(script: ScriptDirectory, to: str | None) -> str | None:
    """The revision that `to` means: the newest, one by its id or how that begins, or None for "none".

    Raises:
        MigrationError: there is none, or there are several.
    """
    if to in {None, "head"}:
        return compare(script, None).head
    if to == "none":
        return None
    return _named(
        script, str(to), "`soulspot-db migrate --status` lists those that are pending; `none` is before the first."
    )


def allowed_ids(script: ScriptDirectory, state: Status, allowed: Iterable[str]) -> frozenset[str]:
    """The revisions that may lose something, by their whole ids.

    Args:
        script: the revisions.
        state: where the database is.
        allowed: ids, or how they begin.

    Raises:
        MigrationError: one of them means no revision, or several; those that are pending and lose something are listed.
    """
    lossy = [f"{id} ({title})" for id, title in state.pending if any(losses_of(Path(script.get_revision(id).path)))]
    listed = f"Pending, and losing something: {', '.join(lossy)}." if lossy else "No pending revision loses anything."
    return frozenset(_named(script, name, listed, "Nothing was changed.") for name in allowed)


def _named(script: ScriptDirectory, name: str, *steps: str) -> str:
    known = [revision.revision for revision in script.walk_revisions()]
    found = [id for id in known if name and id.startswith(name)]
    if name in found or len(found) == 1:
        return name if name in found else found[0]
    message = f"{name} begins several revisions: {', '.join(found)}" if found else f"there is no revision {name}"
    raise MigrationError(message, *steps, operation="migrate")
