"""One valid row of an entity: values for its fields, changed until every check and every unique index lets the row pass."""

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache, partial
from random import Random
from typing import Any, ClassVar, cast

from polyfactory.factories.pydantic_factory import ModelFactory
from polyfactory.field_meta import FieldMeta
from pydantic import ValidationError

from soulspot_db.entity import EntityCreate
from soulspot_db.errors import ValidationFailedError
from soulspot_db.language.field import FieldSpec, Missing
from soulspot_db.language.predicates import Predicate, compares
from soulspot_db.language.scope import stored_name
from soulspot_db.language.spec import EntitySpec
from soulspot_db.repositories.refusals import refused_input
from soulspot_db.schema import ResolvedSchema
from soulspot_db.testing.conditions import holds, near
from soulspot_db.testing.uniqueness import Taken
from soulspot_db.testing.values import Values, accepts

__all__ = ["Rows", "fields_of", "needs_value"]

_STEPS = 1000
_LASTING = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


class _RowFactory(ModelFactory[Any]):
    """Polyfactory, with the values of our field types in place of its own.

    Its own know of an input model's rules only what annotations say, which is nothing of NUL characters, 64 bits,
    digits and uniqueness; and they depend on today's date.
    """

    __is_base_factory__ = True
    # Names with an underscore, because a field may have any other.
    _values: ClassVar[Values]
    _entity: ClassVar[EntitySpec]
    _wanted: ClassVar[frozenset[str]]

    @classmethod
    def _made(cls, values: Values, entity: EntitySpec, wanted: frozenset[str]) -> dict[str, Any]:
        """Values for the wanted fields of an entity."""
        cls._values, cls._entity, cls._wanted = values, entity, wanted
        return cls.process_kwargs()

    @classmethod
    def should_use_default_value(cls, field_meta: FieldMeta) -> bool:
        return field_meta.name not in cls._wanted

    @classmethod
    def get_field_value(cls, field_meta: FieldMeta, *_args: Any, **_context: Any) -> Any:
        return _value(cls._values, cls._entity, cls._entity.fields[field_meta.name])


@cache  # reading a model's fields takes Polyfactory longer than making a hundred rows
def _factory_of(model: type[EntityCreate]) -> type[_RowFactory]:
    return cast("type[_RowFactory]", _RowFactory.create_factory(model))


class Rows:
    """Draws rows; the same seed and the same calls draw the same rows.

    Args:
        seed: where the randomness starts.
    """

    def __init__(self, seed: int) -> None:
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start over: nothing is counted and nothing taken any more."""
        self._random = Random(seed)  # noqa: S311 - repeatable is what it should be
        self._values = Values(self._random)
        self._taken = Taken()

    def draw(
        self,
        schema: ResolvedSchema,
        given: Mapping[str, Any],
        *,
        full: bool = False,
        known: Mapping[str, Sequence[Any]] | None = None,
        claim: bool = True,
    ) -> EntityCreate:
        """A row that the schema's rules, checks and unique indexes accept.

        Args:
            schema: the entity.
            given: values that stay as they are; what they break by themselves is left for the database to say.
            full: whether nullable fields get a value as well.
            known: the keys that each reference may hold, the first one first; None draws keys of no row.
            claim: whether the row's unique values are taken from now on.

        Raises:
            ValidationFailedError: a given value breaks its field's rules, or no row was found.
            UnknownFieldError: the entity has no field of a given name.
        """
        entity = schema.spec
        references = known or {}
        stored = partial(stored_name, entity=entity)
        start = {name: keys[0] for name, keys in references.items() if keys}
        found = _found(entity)
        wanted = frozenset(name for name, field in entity.fields.items() if needs_value(field, full=full))
        factory = _factory_of(schema.create_model)
        made = factory._made(self._values, entity, wanted - {*map(stored, given), *references, *found})  # noqa: SLF001 - our own
        values = made | start | found | dict(given)
        broken: list[set[str]] = []
        for _ in range(_STEPS):
            new = _validated(schema, values)
            broken = self._broken(entity, new.__dict__, given)
            if not broken:
                if claim:
                    self._taken.claim(entity, new.__dict__)
                return new
            name = self._random.choice(sorted(self._random.choice(broken).difference(given)))
            values[name] = self._other(entity, entity.fields[name], new.__dict__, references.get(name))
        names = ", ".join(sorted(set().union(*broken)))
        raise ValidationFailedError(
            f"no row of {entity.entity_type} was found that passes its checks and unique indexes: {names}",
            "Give some of these fields, so that there is less to guess.",
            entity_type=entity.entity_type,
            operation="build",
        )

    def value(self, entity: EntitySpec, name: str) -> Any:
        """A value for one field."""
        return _value(self._values, entity, entity.fields[name])

    def _broken(self, entity: EntitySpec, row: Mapping[str, Any], given: Mapping[str, Any]) -> list[set[str]]:
        """The fields of every check and unique group that the row breaks, unless all of them were given."""
        groups = [fields_of(check) for check in entity.checks.values() if holds(check, entity.fields, row) is False]
        groups += self._taken.conflicts(entity, row)
        return [fields for fields in groups if not fields.issubset(given)]

    def _other(self, entity: EntitySpec, field: FieldSpec, row: Mapping[str, Any], keys: Sequence[Any] | None) -> Any:
        """Another value for a field: a new one, none, or one that a check compares it with."""
        options: list[Any] = [None] if field.nullable else []
        if keys is not None:
            return self._random.choice([*options, *keys])
        for check in entity.checks.values():
            for compare in compares(check):
                if compare.field == field.name:
                    near_to = [row[compare.other]] if compare.other else compare.values
                elif compare.other == field.name:
                    near_to = [row[compare.field]]
                else:
                    continue
                options += [option for value in near_to for option in near(value, field)]
        chosen = self._random.choice(options) if options and self._random.random() < 0.7 else Missing
        if chosen is Missing or not accepts(field, chosen):
            return _value(self._values, entity, field)
        return chosen


def _value(values: Values, entity: EntitySpec, field: FieldSpec) -> Any:
    """A value for a field; where a virtual one stands for it, one that begins as it should."""
    value = values.of(entity.entity_type, field)
    prefix = next((virtual.prefix for virtual in entity.virtual.values() if virtual.field == field.name), "")
    return f"{prefix}{value}" if prefix and accepts(field, f"{prefix}{value}") else value


def _found(entity: EntitySpec) -> dict[str, Any]:
    """The values by which a row is one that reads find: neither deleted nor past its time."""
    values = {entity.soft_delete: None, entity.expires: _LASTING}
    return {name: value for name, value in values.items() if name is not None}


def needs_value(field: FieldSpec, *, full: bool) -> bool:
    """Whether a value must be made, rather than left to the field's default."""
    made_at_random = field.made is not None and field.type == "uuid"
    return field.required or made_at_random or (full and field.nullable and field.default in (Missing, None))


def fields_of(check: Predicate) -> set[str]:
    """The fields that a check looks at."""
    return {name for compare in compares(check) for name in (compare.field, compare.other) if name is not None}


def _validated(schema: ResolvedSchema, values: Mapping[str, Any]) -> EntityCreate:
    try:
        return schema.create_model.model_validate(dict(values))
    except ValidationError as error:
        raise refused_input(error, schema.spec, "build") from None
