"""Hand-written schemas with queries in SQL, analysed as `soulspot-db generate` does it for those in YAML."""

from soulspot_db import EntitySchema
from soulspot_db.language.document import EntityDocument
from soulspot_db.language.spec import EntitySpec, resolve, with_queries
from soulspot_db_codegen.sql_analysis import analyser
from soulspot_db_codegen.sql_database import SqlDatabase

__all__ = ["analysed"]


def analysed(*schemas: type[EntitySchema]) -> None:
    """Give each schema what the generator finds out of its queries."""
    found = [(schema, *_resolved(schema)) for schema in schemas]
    with SqlDatabase.opened([spec for _, _, spec in found]) as database:
        for schema, document, spec in found:
            complete, problems = with_queries(spec, document, None, analyser(spec, document, database))
            assert problems == []
            queries = complete.queries.values()
            schema.sql = {query.name: query.sql.analysis.as_given() for query in queries if query.sql is not None}


def _resolved(schema: type[EntitySchema]) -> tuple[EntityDocument, EntitySpec]:
    document = EntityDocument.model_validate(
        {
            "entity_type": schema.entity_type,
            "table_name": schema.table_name,
            "fields": schema.fields,
            "queries": schema.queries,
            "checks": dict(schema.checks),
        }
    )
    spec, problems = resolve(document)
    assert problems == []
    return document, spec
