"""One run of the generator: everything is read, checked and rendered before anything is written."""

from dataclasses import dataclass
from pathlib import Path

from soulspot_db_codegen.assembler import assemble
from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.documents import read_documents
from soulspot_db_codegen.errors import Diagnostic, SchemaError
from soulspot_db_codegen.loader import load
from soulspot_db_codegen.migrations.planner import Revision, plan_migrations
from soulspot_db_codegen.outputs import render_all
from soulspot_db_codegen.resolver import Resolved, resolve_all
from soulspot_db_codegen.writer import Change, compare, foreign

__all__ = ["ProjectPlan", "plan_project", "read_schemas", "refuse_foreign"]


@dataclass(frozen=True, slots=True)
class ProjectPlan:
    """What must change on disk so that it is what the schemas say, and the revision among it, if there is a new one."""

    changes: list[Change]
    revision: Revision | None


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
    if problems:
        raise SchemaError(problems)
    project = assemble(resolved, configuration.package)
    files = {**render_all(project, configuration, plan.head), **plan.files}
    owned = (configuration.output, str(Path(configuration.migrations) / "snapshot"))
    return ProjectPlan(compare(configuration.root, files, owned), plan.revision)


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
