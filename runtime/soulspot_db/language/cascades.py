"""What a database itself deletes and changes when rows are deleted."""

from collections.abc import Collection, Iterable

from soulspot_db.language.spec import EntitySpec

__all__ = ["cascades"]


def cascades(deleted: Iterable[str], specs: Collection[EntitySpec]) -> set[str]:
    """The tables in which a foreign key of `specs` deletes or changes rows when rows of the entities `deleted` go.

    Args:
        deleted: entity types.
        specs: the entities whose references are followed.
    """
    tables: set[str] = set()
    followed = list(deleted)
    for entity_type in followed:  # grows while it is walked; references may run in a circle
        for spec in specs:
            for field in spec.fields.values():
                target = (field.references or "").rpartition(".")[2]
                if target == entity_type and field.on_delete != "restrict":
                    tables.add(spec.table_name)
                    if field.on_delete == "cascade" and spec.entity_type not in followed:
                        followed.append(spec.entity_type)
    return tables
