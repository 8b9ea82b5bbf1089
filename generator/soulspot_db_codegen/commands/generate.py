"""`soulspot-db generate`."""

from contextlib import suppress
from pathlib import Path

import click

from soulspot_db_codegen.commands.shared import (
    PROBLEMS,
    complaints,
    count,
    project_option,
    tell_advice,
    tell_moved,
    tell_problems,
    tell_warnings,
)
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.errors import Diagnostic
from soulspot_db_codegen.generate import amend_project, plan_project, refuse_foreign
from soulspot_db_codegen.reports import FORMATS, report
from soulspot_db_codegen.writer import Change, apply, unified_diff

__all__ = ["generate"]

_DRIFT = {
    "create": "the file is missing",
    "update": "the file is not what the schemas say",
    "remove": "no schema makes this file any more",
}


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 and show a diff if anything would change.")
@click.option("--amend", is_flag=True, help="Make the newest revision again, as long as git's HEAD does not have it.")
@click.option("--watch", is_flag=True, help="Go on, and generate again whenever a schema changes, until Ctrl-C.")
@click.option(
    "--format",
    "form",
    type=click.Choice(list(FORMATS)),
    default="text",
    help="How problems are told; other than text: on stdout, and nothing else there.",
)
@project_option
def generate(*, check: bool, amend: bool, watch: bool, form: str, project: Path) -> None:
    """Turn schemas into models, repositories and migrations."""
    root = project.absolute()
    if watch and (check or form != "text"):
        raise click.UsageError("--watch goes with neither --check nor --format: it writes, and tells people about it")
    if amend and (check or watch):
        raise click.UsageError("--amend goes with neither --check nor --watch: it is for once")
    if watch:
        _watch(root)
    elif check:
        _check(root, form)
    else:
        _write(root, form, amend=amend)


def _write(root: Path, form: str, *, amend: bool = False) -> None:
    with complaints(form):
        configuration = load_configuration(root)
        plan = amend_project(configuration) if amend else plan_project(configuration)
        changes = plan.changes
        refuse_foreign(changes)
        apply(configuration.root, changes)
    for change in changes:
        click.echo(f"{change.verb} {change.path}", err=form != "text")
    tell_moved(plan.moved, err=form != "text")
    tell_advice(plan.revision)
    tell_warnings(plan.warnings)
    _close(changes, form)


def _check(root: Path, form: str) -> None:
    with complaints(form):
        plan = plan_project(load_configuration(root))
    tell_warnings(plan.warnings)
    changes = plan.changes
    if changes and form == "text":
        for change in changes:
            click.echo(unified_diff(change), nl=False)
        for change in changes:
            click.echo(f"would {change.verb} {change.path}", err=True)
        click.echo(f"{count(len(changes), 'file')} out of date; run `soulspot-db generate`", err=True)
    elif changes:
        hint = "run `soulspot-db generate`"
        tell_problems([Diagnostic(change.path, 1, 1, _DRIFT[change.verb], hint) for change in changes], form)
    if changes:
        raise SystemExit(PROBLEMS)
    _close(changes, form)


def _close(changes: list[Change], form: str) -> None:
    if form != "text":
        text = report([], form)
        click.echo(text, nl=bool(text))
    elif not changes:
        click.echo("everything is up to date")


def _watch(root: Path) -> None:
    try:
        from soulspot_db_codegen.watch import watch_project  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"--watch needs the module {error.name!r}, which is not installed: pip install 'soulspot-db[codegen]'"
        ) from None

    def run() -> None:
        with suppress(SystemExit):  # a problem has been told, and the next change may mend it
            _write(root, "text")

    click.echo("watching the schemas; Ctrl-C ends", err=True)
    watch_project(root, run)
