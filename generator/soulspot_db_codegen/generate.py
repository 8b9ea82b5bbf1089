"""One run of the generator: everything is read, checked and rendered before anything is written."""

from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

from soulspot_db_codegen.assembler import assemble
from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.documents import read_documents
from soulspot_db_codegen.errors import ConfigurationError, Diagnostic, SchemaError
from soulspot_db_codegen.git import head_commit
from soulspot_db_codegen.loader import load
from soulspot_db_codegen.migrations.planner import MigrationPlan, is_edited, plan_migrations, read_past
from soulspot_db_codegen.migrations.rebase import own_revisions, past_at, plan_on
from soulspot_db_codegen.migrations.revision import Revision
from soulspot_db_codegen.migrations.unwritten import unwritten_revisions
from soulspot_db_codegen.outputs import render_all
from soulspot_db_codegen.resolver import Resolved, resolve_all
from soulspot_db_codegen.writer import UNFINISHED, Change, compare, foreign

__all__ = ["ProjectPlan", "amend_project", "plan_project", "read_schemas", "refuse_foreign", "replan_project"]


@dataclass(frozen=True, slots=True)
class ProjectPlan:
    """What must change on disk so that it is what the schemas say, and the revision among it, if there is a new one.

    `moved` are data revisions that follow others now, `warnings` what is allowed and what the author should know.
    """

    changes: list[Change]
    revision: Revision | None
    moved: list[str] = field(default_factory=list)
    warnings: tuple[Diagnostic, ...] = ()


def read_schemas(configuration: Configuration) -> Resolved:
    """Read and check the schemas of a project.

    Raises:
        SchemaError: all problems of all files.
        ConfigurationError: a package that the project names is not there.
    """
    sources, problems = load(configuration)
    documents, found = read_documents(sources, problems)
    problems += found
    resolved, found = resolve_all(documents)
    problems += found
    if not problems and not resolved.entities:
        where = (*configuration.schemas, "pyproject.toml")[0]
        problems.append(Diagnostic(where, 1, 1, "there are no schemas", "write <module>/<entity>.yaml"))
    if problems:
        raise SchemaError(problems)
    return resolved


def plan_project(configuration: Configuration) -> ProjectPlan:
    """Read, check and render everything; nothing is written.

    Raises:
        SchemaError: the schemas, or the revisions so far, have problems.
        ConfigurationError: a package that the project names is not there.
    """
    resolved = read_schemas(configuration)
    plan, problems = plan_migrations(configuration, resolved)
    problems += unwritten_revisions(configuration)
    if problems:
        raise SchemaError(list(dict.fromkeys(problems)))
    return _planned(configuration, resolved, plan)


def amend_project(configuration: Configuration) -> ProjectPlan:
    """The same, with the revisions that git's HEAD does not have made again.

    Raises:
        SchemaError: the schemas, or the revisions that git has, have problems, or one of those was edited.
        ConfigurationError: there is no git, or it has every revision.
    """
    commit = head_commit(configuration.root)
    past, _ = past_at(configuration, commit)
    ours = own_revisions(configuration, past)
    if edited := sorted(ours.keys() & past.history.files.keys()):
        _, problems = read_past(configuration)
        if problems:
            raise SchemaError(problems)
        raise ConfigurationError(
            f"git's HEAD has {edited[0]} as it was before it was written: run `soulspot-db generate` and commit it first"
        )
    if not ours:
        raise ConfigurationError(
            "nothing to amend: git's HEAD has every revision; without --amend the next one is written"
        )
    if problems := unwritten_revisions(configuration):
        raise SchemaError(problems)
    return _replanned(configuration, commit, in_amending=True)


def replan_project(configuration: Configuration, commit: str | None) -> ProjectPlan:
    """The same, with the revisions of a commit as the past: those that it does not have are made again.

    Raises:
        SchemaError: the schemas, or the revisions of the commit, have problems.
        ConfigurationError: git does not know the commit.
    """
    return _replanned(configuration, commit, in_amending=False)


def _replanned(configuration: Configuration, commit: str | None, *, in_amending: bool) -> ProjectPlan:
    resolved = read_schemas(configuration)
    # After a merge the schemas say more than ours did, and nobody can tell which of it was edited since.
    edited = in_amending and is_edited(read_past(configuration)[0], resolved)
    rebased, problems = plan_on(configuration, resolved, commit, edited=edited)
    if problems:
        raise SchemaError(problems)
    planned = _planned(configuration, resolved, rebased.plan)
    root = configuration.root
    removed = [Change(path, (root / path).read_text("utf-8"), None) for path in rebased.replaced]
    # A data revision is in its new place before anything is written over its old one, whichever way they go.
    upwards = any(new > old for old, new in rebased.moved.items())
    changes = sorted([*planned.changes, *removed], key=attrgetter("path"), reverse=upwards)
    return ProjectPlan(changes, planned.revision, [*rebased.moved.values()], planned.warnings)


def _planned(configuration: Configuration, resolved: Resolved, plan: MigrationPlan) -> ProjectPlan:
    project = assemble(resolved, configuration.package)
    files = {**render_all(project, configuration, plan.head), **plan.files}
    owned = (configuration.output, str(Path(configuration.migrations) / "snapshot"))
    changes = compare(configuration.root, files, owned)
    mark = Path(configuration.migrations) / UNFINISHED
    if (configuration.root / mark).is_file():  # what is done now leaves nothing unfinished
        changes.append(Change(mark.as_posix(), (configuration.root / mark).read_text("utf-8"), None))
    return ProjectPlan(changes, plan.revision, warnings=resolved.warnings)


def refuse_foreign(changes: list[Change]) -> None:
    """Make sure that nothing is overwritten that somebody wrote by hand.

    Raises:
        SchemaError: a file in the way does not say that it is generated.
    """
    hint = "move it out of the way, or delete it if it is an edited copy"
    problems = [
        Diagnostic(path, 1, 1, "this file was not generated and would be overwritten", hint)
        for path in foreign(changes)
    ]
    if problems:
        raise SchemaError(problems)
