"""Whether a database can be taken back all the way, looked at before the first step of it."""

import ast
from itertools import takewhile
from pathlib import Path

from alembic.script import Script, ScriptDirectory

from soulspot_db.errors import MigrationError
from soulspot_db.language.python_source import parsed
from soulspot_db.migrations.backup import newest_backup
from soulspot_db.migrations.revisions import Status, title_of
from soulspot_db.settings import DatabaseSettings

__all__ = ["require_way_back"]


def require_way_back(script: ScriptDirectory, state: Status, target: str | None, settings: DatabaseSettings) -> None:
    """Make sure that every revision on the way can be undone.

    Args:
        script: the revisions.
        state: where the database is.
        target: an older revision, to which it is to go.
        settings: which database; backups are beside its file.

    Raises:
        MigrationError: some cannot; all of them are named.
    """
    newest_first = script.walk_revisions(head=str(state.current))
    undone = takewhile(lambda revision: revision.revision != target, newest_first)
    refusals = [(revision, why) for revision in undone if (why := _refusal_of(Path(revision.path))) is not None]
    if not refusals:
        return
    newest, oldest = refusals[0][0], refusals[-1][0]
    steps = [_restore(script, oldest, settings)]
    if newest.revision != state.current:
        steps.append(f"Or go back no further than it can be done: soulspot-db migrate --to {newest.revision}")
    raise MigrationError(
        "; ".join(
            f"revision {revision.revision} cannot be undone: {_with_title(why, title_of(revision.doc))}"
            for revision, why in refusals
        ),
        *steps,
        "Or go forward: change the schemas back, run `soulspot-db generate`, and migrate to the new revision.",
        "Nothing was changed.",
        operation="migrate",
        revision=oldest.revision,
    )


def _refusal_of(path: Path) -> str | None:
    """Why a revision's downgrade refuses, whatever is in the database; None where it does not."""
    functions = [node for node in parsed(path.read_bytes()).body if isinstance(node, ast.FunctionDef)]
    for statement in (inner for function in functions if function.name == "downgrade" for inner in function.body):
        match statement:
            case ast.Expr(ast.Call(func=ast.Attribute(attr="refuse_to_go_back"), args=[ast.Constant(value=str(why))])):
                return why
    return None


def _with_title(why: str, title: str) -> str:
    # A data revision comes with its name as the reason.
    return why if why.casefold() == title.rstrip(".").casefold() else f"{why} ({title!r})"


def _restore(script: ScriptDirectory, oldest: Script, settings: DatabaseSettings) -> str:
    if settings.database_type == "postgresql":
        return f"Restore the dump that was made before {oldest.revision}; what was written since is not in it."
    database = settings.database_path
    parent = oldest.down_revision
    before = {revision.revision for revision in script.walk_revisions(head=str(parent))} if parent else set[str]()
    saved = newest_backup(database, {"none", *before})
    if saved is None:
        return f"There is no backup from before it beside {database}; if you have one elsewhere, restore it."
    return f"Restore the backup from before {oldest.revision}, without what was written since: {saved}"
