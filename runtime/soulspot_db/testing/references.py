"""The rows that a new row must refer to: which there have to be, and their keys once they are made."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from soulspot_db.errors import ValidationFailedError
from soulspot_db.language.field import FieldSpec
from soulspot_db.registry import EntityRegistry
from soulspot_db.schema import ResolvedSchema, resolved
from soulspot_db.testing.rows import Rows, fields_of, needs_value

__all__ = ["References"]

Create = Callable[[str, Mapping[str, Any], tuple[str, ...]], Awaitable[Mapping[str, Any]]]


class References:
    """The references of one new row.

    Args:
        schema: its entity.
        rows: what draws rows.
        full: whether nullable references shall hold a key as well.
    """

    def __init__(self, schema: ResolvedSchema, rows: Rows, *, full: bool) -> None:
        self._schema = schema
        self._entity = schema.spec
        self._rows = rows
        self._full = full
        self._fields = [field for field in self._entity.fields.values() if field.references]

    def own_key(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What was given, and the row's key as well where the row has no choice but to refer to itself."""
        found = dict(given)
        for field in self._fields:
            if _target(field) == self._entity.entity_type and field.required and field.name not in found:
                key = self._entity.key[0]
                if key not in found:
                    if self._entity.fields[key].assigned:
                        raise self._impossible(field)
                    found[key] = self._rows.value(self._entity, key)
                found[field.name] = found[key]
        return found

    async def make(self, given: Mapping[str, Any], within: tuple[str, ...], create: Create) -> dict[str, list[Any]]:
        """Make the rows that are needed.

        Args:
            given: values of fields; references among them need no row.
            within: the entity types whose rows wait for this one.
            create: makes a row of an entity type, given its values and the types that wait for it.

        Returns:
            For every reference that was not given the keys that it may hold, none where no row was made.
        """
        known: dict[str, list[Any]] = {field.name: [] for field in self._fields if field.name not in given}
        by_target: dict[str, list[Any]] = {}
        for field in self._needed(given):
            target = _target(field)
            if target in within:
                if field.required:
                    raise self._impossible(field)
                continue
            row = await create(target, {}, (*within, self._entity.entity_type))
            key = row[resolved(EntityRegistry.get_schema(target)).spec.key[0]]
            by_target.setdefault(target, []).append(key)
            known[field.name].append(key)
        for field in self._fields:
            # Two references to one entity may have to change places, as in `track_id_1 < track_id_2`.
            if known.get(field.name):
                known[field.name] += [key for key in by_target[_target(field)] if key not in known[field.name]]
        return known

    def _needed(self, given: Mapping[str, Any]) -> list[FieldSpec]:
        open_fields = [field for field in self._fields if field.name not in given]
        needed = {field.name for field in open_fields if needs_value(field, full=self._full)}
        checked = {name for check in self._entity.checks.values() for name in fields_of(check)}
        if any(field.name in checked - needed for field in open_fields):
            # A check may want a key where null would do otherwise; a row that is not saved tells.
            planned = self._rows.draw(self._schema, given, full=self._full, claim=False)
            needed |= {field.name for field in open_fields if getattr(planned, field.name) is not None}
        return [field for field in open_fields if field.name in needed]

    def _impossible(self, field: FieldSpec) -> ValidationFailedError:
        return ValidationFailedError(
            f"a row of {self._entity.entity_type} cannot be made: {field.name} must refer to a row that waits for this one",
            f"Give {field.name}.",
            entity_type=self._entity.entity_type,
            field=field.name,
            operation="create",
        )


def _target(field: FieldSpec) -> str:
    return (field.references or "").rpartition(".")[2]
