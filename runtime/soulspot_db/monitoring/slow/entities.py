"""The entities of this process by their tables, with the names under which their authors know them."""

from collections.abc import Mapping

from soulspot_db.entity import EntitySchema
from soulspot_db.monitoring.slow.known import Known
from soulspot_db.registry import EntityRegistry
from soulspot_db.schema import resolved

__all__ = ["known_tables"]


def known_tables() -> Mapping[str, Known]:
    """All entities; it imports those that nobody has used yet, so call it in a thread."""
    schemas = map(EntityRegistry.get_schema, EntityRegistry.list_entity_types())
    found = (Known(_name(schema), resolved(schema).spec) for schema in schemas)
    return {known.spec.table_name: known for known in found}


def _name(schema: type[EntitySchema]) -> str:
    package, *modules = schema.__module__.split(".")
    if package in EntityRegistry.migration_heads() and len(modules) > 1:
        return f"{modules[0]}.{schema.entity_type}"
    return schema.entity_type
