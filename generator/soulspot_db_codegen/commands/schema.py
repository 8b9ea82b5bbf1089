"""`soulspot-db schema`."""

import click

from soulspot_db_codegen.json_schema import entity_schema, module_schema, schema_text

__all__ = ["schema"]


@click.command()
@click.option("--module", is_flag=True, help="That of a module's own file, _module.yaml.")
def schema(*, module: bool) -> None:
    """Print the JSON Schema of an entity's file, for editors.

    `init` writes it to schemas/entity.schema.json; write it there again after an update of soulspot-db.
    """
    click.echo(schema_text(module_schema() if module else entity_schema()), nl=False)
