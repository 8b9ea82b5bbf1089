"""One run of the generator: everything is read, checked and rendered before anything is written."""

from pathlib import Path

from soulspot_db_codegen.assembler import assemble
from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.documents import read_documents
from soulspot_db_codegen.errors import Diagnostic, SchemaError
from soulspot_db_codegen.loader import load
from soulspot_db_codegen.migrations.planner import plan_migrations
from soulspot_db_codegen.outputs import render_all
from soulspot_db_codegen.resolver import Resolved, resolve_all
from soulspot_db_codegen.writer import Change, compare, foreign

__all__ = ["changes_needed", "read_schemas"]


def read_schemas(configuration: Configuration) -> Resolved:
    """Read and check the schemas of a project.

    Raises:
        SchemaError: all problems of all files.
    """
    sources, problems = load(configuration)
    documents, found = read_documents(sources)
    problems += found
    resolved, found = resolve_all(documents)
    problems += found
    if not problems and not resolved.entities:
        problems.append(
            Diagnostic(configuration.schemas[0], 1, 1, "there are no schemas", "write <module>/<entity>.yaml")
        )
    if problems:
        raise SchemaError(problems)
    return resolved


def changes_needed(configuration: Configuration) -> list[Change]:
    """What must change on disk so that it is what the schemas say; nothing is written.

    Raises:
        SchemaError: the schemas, or what they would have to overwrite, have problems.
    """
    resolved = read_schemas(configuration)
    plan, problems = plan_migrations(configuration, resolved)
    if problems:
        raise SchemaError(problems)
    project = assemble(resolved, configuration.package)
    files = {**render_all(project, configuration, plan.head), **plan.files}
    owned = (configuration.output, str(Path(configuration.migrations) / "snapshot"))
    return compare(configuration.root, files, owned)


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
