"""`soulspot-db rebase`."""

from pathlib import Path

import click

from soulspot_db_codegen.commands.shared import complaints, project_option, tell_advice, tell_moved
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.errors import ConfigurationError
from soulspot_db_codegen.generate import refuse_foreign, replan_project
from soulspot_db_codegen.git import others_commit
from soulspot_db_codegen.migrations.rebase import is_settled
from soulspot_db_codegen.writer import apply

__all__ = ["rebase"]


@click.command()
@click.option(
    "--onto", metavar="COMMIT", help="Whose revisions stay as they are; default: what was merged, as git says."
)
@project_option
def rebase(*, onto: str | None, project: Path) -> None:
    """Make our revisions again, on top of merged ones.

    First resolve what git says about schemas; migrations.sum, the snapshot and generated code are written here.
    """
    with complaints():
        configuration = load_configuration(project.absolute())
        commit = onto or others_commit(configuration.root)
        if is_settled(configuration, commit):
            if onto is not None:
                raise ConfigurationError(
                    f"HEAD follows {onto}, and what HEAD has is never made again: somebody may have applied it. "
                    "`--onto HEAD` makes again what it does not have"
                )
            commit = "HEAD"
        plan = replan_project(configuration, commit)
        refuse_foreign(plan.changes)
        apply(configuration.root, plan.changes)
    if not plan.changes:
        click.echo("nothing to do: every revision follows those of the others")
        return
    click.echo(f"the revisions of {commit} stay as they are")
    for change in plan.changes:
        click.echo(f"{change.verb} {change.path}")
    if plan.revision:
        click.echo(f"revision {plan.revision.id}: {plan.revision.title}")
    tell_moved(plan.moved)
    tell_advice(plan.revision)
    click.echo("next: `git add --all`, then commit, or go on with what git is in the middle of")
