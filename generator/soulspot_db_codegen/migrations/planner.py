"""From the schemas and the revisions so far to the files that migrations should consist of now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from soulspot_db.language.history import SUMS, History, dump_sums, is_data, read_history, sums_of, text_of

from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.errors import ConfigurationError, Diagnostic
from soulspot_db_codegen.git import files_at
from soulspot_db_codegen.migrations.conflicts import conflicts_for_rebase
from soulspot_db_codegen.migrations.differ import Problem, diff, way_back
from soulspot_db_codegen.migrations.hints import Hints, take_hints
from soulspot_db_codegen.migrations.revision import Revision, file_name, make_revision
from soulspot_db_codegen.migrations.snapshot import Snapshot, digest, dump_table, read_snapshot, with_applied
from soulspot_db_codegen.migrations.unwritten import is_unwritten, misplaced_revisions
from soulspot_db_codegen.render import render
from soulspot_db_codegen.resolver import Resolved
from soulspot_db_codegen.writer import UNFINISHED, last_line

__all__ = ["MigrationPlan", "Past", "is_edited", "plan_migrations", "read_past"]


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """Every file of the migrations folder that changes with the schemas, and the newest revision.

    `revision` is the one that the plan adds, if it adds one.
    """

    head: str | None
    files: Mapping[str, str]
    revision: Revision | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What a new revision follows: the revisions, and the tables that they lead to.

    `unfinished`: a run was stopped after it had recorded the newest revision; the snapshot may be the one before it.
    """

    history: History
    snapshot: Snapshot
    unfinished: bool = False


def plan_migrations(
    configuration: Configuration, resolved: Resolved, past: Past | None = None
) -> tuple[MigrationPlan, list[Diagnostic]]:
    """Decide whether a revision is needed, and which.

    Args:
        configuration: of the project.
        resolved: its entities.
        past: what to follow; by default what is on the disk.

    Returns:
        The plan and the problems; where there are problems the plan must not be used.
    """
    folder = configuration.migrations
    if past is None:
        past, faults = read_past(configuration)
        if faults:
            return MigrationPlan(None, {}), faults
    history, before = past.history, past.snapshot
    hints, after = take_hints(resolved), resolved.tables
    as_it_is = _plan(folder, _recorded(after, hints), history.files, history.head)
    if history.schema is not None and (past.unfinished or history.schema != digest(before)):
        if history.schema == digest(after):  # a run that was stopped has left the old snapshot
            return as_it_is, _strange(folder, history, history.files)
        message = f"{folder}/snapshot is not what revision {history.head} left"
        hint = (
            "run `soulspot-db generate` with the schemas as they were, or restore the folder from version control; "
            "then change the schemas again"
        )
        return MigrationPlan(None, {}), [Diagnostic(f"{folder}/snapshot", 1, 1, message, hint)]
    difference = diff(before, after, hints)
    if difference.problems:
        return MigrationPlan(None, {}), [_told(problem, resolved, folder) for problem in difference.problems]
    # Not by the digest alone: two columns that swap their names leave the tables as they look, and change the rows.
    if history.schema == digest(after) and not difference.operations:
        return as_it_is, _strange(folder, history, history.files)
    revision = make_revision(history.head, digest(after), difference, way_back(before, after, hints))
    files = {**history.files, file_name(revision, len(history.files) + 1): render("revision.py", revision=revision)}
    plan = replace(_plan(folder, _recorded(after, hints), files, revision.id), revision=revision)
    return plan, _strange(folder, history, files)


def is_edited(past: Past, resolved: Resolved) -> bool:
    """Whether the schemas say other tables than the newest revision has left."""
    if past.history.schema != digest(resolved.tables):
        return True
    difference = diff(past.snapshot, resolved.tables, take_hints(resolved))
    return not past.unfinished and bool(difference.operations or difference.problems)


def read_past(configuration: Configuration) -> tuple[Past, list[Diagnostic]]:
    """The revisions and the snapshot on the disk, and what is wrong with them."""
    folder = configuration.migrations
    if conflicts := list(conflicts_for_rebase(configuration)):
        return Past(History({}, None, None, {}), {}), conflicts
    history, faults = read_history(configuration.root / folder)
    if faults:
        history, faults = read_history(configuration.root / folder, _unpublished(configuration))
    snapshot = read_snapshot(configuration.root / folder / "snapshot") if history.schema is not None else {}
    problems = _faulty(folder, faults)
    if not problems and history.head is None and _had_revisions(configuration):
        lost = f"{SUMS} names no revision, and there are some" if history.unrecorded else "had revisions and has none"
        message = f"{folder}: {lost}; no database could be brought from them to a new line"
        hint = "restore the folder from version control; if no database was ever made, commit its removal first"
        problems = [Diagnostic(folder, 1, 1, message, hint)]
    if not problems and history.files and history.schema is None:
        newest = dict([list(history.files.items())[-1]])
        problems = list(misplaced_revisions(folder, newest))
    return Past(history, snapshot, _is_unfinished(configuration)), problems


def _is_unfinished(configuration: Configuration) -> bool:
    mark, sums = (configuration.root / configuration.migrations / name for name in (UNFINISHED, SUMS))
    return mark.is_file() and sums.is_file() and mark.read_text("utf-8") == last_line(text_of(sums.read_bytes()))


def _had_revisions(configuration: Configuration) -> bool:
    """Whether there were revisions: git's HEAD has them, or the snapshot is what they left."""
    if any((configuration.root / configuration.migrations / "snapshot").rglob("*.json")):
        return True
    try:
        files = files_at(configuration.root, "HEAD", f"{configuration.migrations}/versions")
    except ConfigurationError:
        return False  # without git, or before the first commit, nobody knows of any
    return any(path.endswith(".py") for path in files)


def _unpublished(configuration: Configuration) -> set[str]:
    """The data revisions that may be edited: git's HEAD does not have them, or has them as nobody can have applied them."""
    folder = configuration.root / configuration.migrations / "versions"
    ours = {path.name for path in folder.glob("*.py") if is_data(text_of(path.read_bytes()))}
    if not ours:
        return ours
    try:
        theirs = files_at(configuration.root, "HEAD", f"{configuration.migrations}/versions")
    except ConfigurationError:
        return ours  # without git, or before the first commit, nobody else has them
    return {name for name in ours if name not in theirs or is_unwritten(text_of(theirs[name]))}


def _strange(folder: str, history: History, files: Mapping[str, str]) -> list[Diagnostic]:
    """Revisions that nobody recorded; one that would be written now is what a run that was killed has left."""
    hint = (
        "if a command was stopped, run the same one again, with the schemas as they were; after a merge, run "
        "`soulspot-db rebase`; a file that somebody else wrote: take it away"
    )
    names = [name for name, text in history.unrecorded.items() if files.get(name) != text]
    return [Diagnostic(folder, 1, 1, f"versions/{name} is not in {SUMS}", hint) for name in names]


def _faulty(folder: str, faults: Iterator[str] | list[str]) -> list[Diagnostic]:
    hint = (
        "restore the file from version control: revisions may have been applied, and are never rewritten. What one did "
        "wrong another puts right (`soulspot-db new revision --data NAME`); or undo its commit, as long as nobody has "
        "pulled it (`git reset --soft HEAD~1`). After a merge, run `soulspot-db rebase`"
    )
    return [Diagnostic(folder, 1, 1, fault, hint) for fault in faults]


def _told(problem: Problem, resolved: Resolved, folder: str) -> Diagnostic:
    for entity in resolved.entities:
        if f"{entity.module}/{entity.spec.entity_type}" == problem.path:
            names = {field.column: name for name, field in entity.spec.fields.items()}
            at = ("fields", names[problem.column]) if problem.column in names else ()
            return entity.source.problem(at, problem.message, problem.hint)
    return Diagnostic(f"{folder}/snapshot/{problem.path}.json", 1, 1, problem.message, problem.hint)


def _recorded(snapshot: Snapshot, hints: Hints) -> Snapshot:
    return {
        path: with_applied(table, hints.of(path).former_entity, hints.of(path).former)
        for path, table in snapshot.items()
    }


def _plan(folder: str, snapshot: Snapshot, revisions: Mapping[str, str], head: str | None) -> MigrationPlan:
    files = {f"{folder}/versions/{name}": text for name, text in revisions.items()}
    files |= {f"{folder}/snapshot/{path}.json": dump_table(table) for path, table in snapshot.items()}
    files[f"{folder}/{SUMS}"] = dump_sums(sums_of(revisions))
    return MigrationPlan(head, files)
