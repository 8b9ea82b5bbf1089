"""An index that somebody should add, in the words of a schema."""

import re
from dataclasses import dataclass

from soulspot_db.language.indexes import constraint_name
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.table import IndexColumnSpec, TableIndexSpec

__all__ = ["Advised"]


@dataclass(frozen=True, slots=True)
class Advised:
    """An index, in the words of a schema: `field`, `field desc` or `lower(field)`; perhaps of the rows that have a value alone."""

    entity: str
    parts: tuple[str, ...]
    filled: str | None = None

    @property
    def line(self) -> str:
        """What to write among the indexes of the entity."""
        where = "" if self.filled is None else f", where: {{{self.filled}: {{ne: null}}}}"
        return f"{{fields: [{', '.join(self.parts)}]{where}}}"

    def index(self, entity: EntitySpec) -> TableIndexSpec:
        """The index of the table."""
        where = None if self.filled is None else f'"{entity.fields[self.filled].column}" IS NOT NULL'
        return TableIndexSpec(
            name=constraint_name("advised", entity.table_name, *(re.sub(r"\W+", "_", part) for part in self.parts)),
            columns=[_column(part, entity) for part in self.parts],
            unique=False,
            where=None if where is None else {"sqlite": where},
        )


def _column(part: str, entity: EntitySpec) -> IndexColumnSpec:
    name, _, direction = part.partition(" ")
    function, opened, inner = name.partition("(")
    field = entity.fields[inner.removesuffix(")") if opened else name]
    return IndexColumnSpec(column=field.column, function=function if opened else None, descending=direction == "desc")
