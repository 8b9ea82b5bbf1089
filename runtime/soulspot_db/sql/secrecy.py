"""Which tables hold what is to be kept from logs."""

from soulspot_db.registry import EntityRegistry
from soulspot_db.schema import resolved

__all__ = ["has_secrets"]


def has_secrets(table: str) -> bool:
    """Whether a table has a field that is `sensitive` or `encrypted`; of one that is no entity's nobody knows, so it may."""
    specs = (resolved(schema).spec for schema in EntityRegistry.loaded_schemas())
    fields = [field for spec in specs if spec.table_name == table for field in spec.fields.values()]
    return not fields or any(field.sensitive for field in fields)
