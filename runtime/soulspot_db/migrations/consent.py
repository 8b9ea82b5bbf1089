"""Consent to a loss that would be refused half way: asked for before anything is committed."""

from pathlib import Path

from alembic.script import ScriptDirectory

from soulspot_db.errors import MigrationError
from soulspot_db.migrations.looks import losses_of
from soulspot_db.migrations.revisions import Status
from soulspot_db.migrations.run import Run

__all__ = ["require_consent"]


def require_consent(script: ScriptDirectory, state: Status, target: str | None, run: Run) -> None:
    """Make sure that no revision behind one that commits may lose something that nobody has agreed to.

    What is lost there cannot be counted yet, so consent is asked for without a number.

    Args:
        script: the revisions.
        state: where the database is.
        target: where it is to go.
        run: knows which revisions may lose something.

    Raises:
        MigrationError: one of the others may.
    """
    commits = False
    before = state.current
    for id, _title in state.pending:
        revision = script.get_revision(id)
        losses = dict.fromkeys(what for what, _rows in losses_of(Path(revision.path)))
        if commits and losses and id not in run.allowed:
            raise MigrationError(
                f"revision {id} may lose {', '.join(losses)}, and what comes before it would be committed already",
                f"If that is meant: {run.consent_to(id)}",
                f"Or go as far as nothing is lost: soulspot-db migrate --to {before}",
                "Nothing was changed.",
                operation="migrate",
                revision=id,
            )
        commits = commits or bool(getattr(revision.module, "data", False))
        if id == target:
            return
        before = id
