"""An entity, as advice needs to know it."""

from dataclasses import dataclass

from soulspot_db.language.spec import EntitySpec

__all__ = ["Known"]


@dataclass(frozen=True, slots=True)
class Known:
    """An entity; `name` is `module.entity` where it is known of which module it is."""

    name: str
    spec: EntitySpec

    @property
    def columns(self) -> dict[str, str]:
        """The fields that can be in an index, by their columns."""
        return {field.column: name for name, field in self.spec.fields.items() if not field.encrypted}
