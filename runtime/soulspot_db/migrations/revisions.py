"""The revisions in a migrations folder, and where a database is among them."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from soulspot_db.errors import MigrationError, SchemaAheadError
from soulspot_db.language.conflicts import conflict_line
from soulspot_db.language.history import SUMS, read_history, text_of

__all__ = [
    "Status",
    "ahead",
    "compare",
    "config_of",
    "open_revisions",
    "require_recorded",
    "title_of",
]

_OF_CHANGED = (
    "Restore the folder from version control, or install the package anew.",
    "A revision that may have been applied anywhere is never edited: change the schema, and generate the next one.",
    "A data revision that you are writing: soulspot-db generate. After a merge: soulspot-db rebase",
)
_OF_STRANGERS = (
    f"Where a file that is not in {SUMS} came with another branch: soulspot-db rebase",
    "Where `soulspot-db generate` was stopped while it wrote it: soulspot-db generate",
    "Where `alembic revision` or a person wrote it: take it away, and change the schema for tables: soulspot-db generate",
    "Or, for rows, write there what it does: soulspot-db new revision --data NAME",
)


@dataclass(frozen=True, slots=True)
class Status:
    """Where a database is in the history.

    `current` is None before the first revision; `applied` and `pending` are ids with titles. `losses` says, for pending revisions,
    what is lost with them. `unfinished` are the indexes and constraints that applied revisions have put off. `backup` is
    the copy that a run has made.
    """

    current: str | None
    head: str | None
    pending: tuple[tuple[str, str], ...]
    ahead: bool = False
    losses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unfinished: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    backup: Path | None = None
    applied: tuple[tuple[str, str], ...] = ()


def config_of(folder: Path) -> Config:
    """Alembic's configuration for a migrations folder."""
    config = Config()
    # Alembic reads its options with %-interpolation.
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def open_revisions(folder: Path) -> ScriptDirectory:
    """The revisions, which are all that were recorded, as they were recorded.

    Raises:
        MigrationError: it is not a migrations folder, or a file was edited, is missing, or is not recorded.
    """
    if not (folder / "env.py").is_file():
        raise MigrationError(
            f"{folder} is not a migrations folder",
            "Check `migrations` in the [tool.soulspot-db] section of pyproject.toml.",
            operation="migrate",
        )
    require_recorded(folder)
    return ScriptDirectory.from_config(config_of(folder))


def require_recorded(folder: Path) -> None:
    """Refuse a folder whose revisions are not those that `migrations.sum` records.

    Raises:
        MigrationError: a file was edited, is missing, or is not recorded; it is named. Or the record itself is two.
    """
    sums = folder / SUMS
    line = conflict_line(text_of(sums.read_bytes())) if sums.is_file() else None
    if line is not None:
        raise MigrationError(
            f"{sums} has an unresolved merge conflict at line {line}",
            "Let it be written anew, in the project: soulspot-db rebase",
            operation="migrate",
        )
    history, problems = read_history(folder)
    steps = (*(_OF_CHANGED if problems else ()), *(_OF_STRANGERS if history.unrecorded else ()))
    problems += [f"versions/{name} is not in {SUMS}" for name in history.unrecorded]
    if problems:
        raise MigrationError(
            f"the revisions in {folder} are not those that were recorded: {'; '.join(problems)}",
            *steps,
            operation="migrate",
        )


def compare(script: ScriptDirectory, current: str | None) -> Status:
    """Where a database is that says it is at `current`.

    Raises:
        MigrationError: the revisions do not follow from one another, or not in one line.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Alembic says the same; the error below says what to do
            revisions = list(reversed(list(script.walk_revisions())))
            heads = script.get_heads()
    except (CommandError, KeyError) as error:
        raise MigrationError(
            f"the revisions in {script.versions} do not follow from one another: {error} is missing or wrong",
            "Restore the folder from version control, or install the package anew.",
            operation="migrate",
        ) from error
    if len(heads) > 1:
        raise MigrationError(
            f"{len(heads)} revisions in {script.versions} have none after them: {', '.join(sorted(heads))}",
            "They come from two branches. Bring them in one line: soulspot-db rebase",
            operation="migrate",
        )
    known = [revision.revision for revision in revisions]
    head = known[-1] if known else None
    if current is not None and current not in known:
        return Status(current, head, (), ahead=True)
    start = known.index(current) + 1 if current is not None else 0
    titles = tuple((revision.revision, title_of(revision.doc)) for revision in revisions)
    return Status(current, head, titles[start:], applied=titles[:start])


def ahead(state: Status) -> SchemaAheadError:
    """The error for a database whose revision these migrations do not know."""
    return SchemaAheadError(
        f"the database is at revision {state.current}, which this version of the code does not know",
        "Start the version that wrote it, or a newer one.",
        "Or restore a backup from before the upgrade.",
        current=state.current,
        head=state.head,
    )


def title_of(doc: str | None) -> str:
    """What a revision is called: the first line of its docstring."""
    return (doc or "").strip().partition("\n")[0]
