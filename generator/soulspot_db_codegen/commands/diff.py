"""`soulspot-db diff`."""

from pathlib import Path

import click

from soulspot_db_codegen.commands.shared import complaints, project_option, tell_advice
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.generate import plan_project, refuse_foreign
from soulspot_db_codegen.writer import unified_diff

__all__ = ["diff"]


@click.command()
@click.option("--patch", is_flag=True, help="Also show how each file would change.")
@project_option
def diff(*, patch: bool, project: Path) -> None:
    """Say what `generate` would do, and write nothing."""
    with complaints():
        plan = plan_project(load_configuration(project.absolute()))
        refuse_foreign(plan.changes)
    for change in plan.changes:
        click.echo(f"{change.verb} {change.path}")
    if plan.revision:
        click.echo(f"revision {plan.revision.id}: {plan.revision.title}")
        for operation in plan.revision.operations:
            click.echo(f"    {operation}")
    tell_advice(plan.revision)
    if patch:
        for change in plan.changes:
            click.echo(unified_diff(change), nl=False)
    if not plan.changes:
        click.echo("everything is up to date")
