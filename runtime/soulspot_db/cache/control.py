"""What callers can do to the cache: look into it, and have it forget. `db.cache`."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from soulspot_db.cache.cache import Cache
from soulspot_db.cache.tags import Tag
from soulspot_db.errors import UnknownFieldError, ValidationFailedError
from soulspot_db.language.order import Order
from soulspot_db.language.spec import EntitySpec

__all__ = ["CacheControl", "Remembers"]

_FORMS = "`entity`, `entity:id`, `entity:*` or `entity:*:field:value`, as in `track:*` or `download:*:status:pending`"


class Remembers(Protocol):
    """The records of one entity, as far as the cache is concerned."""

    @property
    def spec(self) -> EntitySpec:
        """The entity."""
        ...

    async def remembered(self, entity_id: str) -> dict[str, Any] | None:
        """The cached row with this key or natural key."""
        ...

    async def warmed(self, where: Mapping[str, Any] | None, order_by: Order, limit: int | None) -> int:
        """Read matching rows into memory; how many there were."""
        ...

    def tags_of(self, entity_id: str | None) -> set[Tag]:
        """What a write to the row with this key or natural key could touch; of any row for None."""
        ...


class CacheControl:
    """The cache as callers see it. Nothing here is ever needed after a write of this program: writes invalidate by themselves.

    Keys and patterns are `entity`, `entity:id`, `entity:*` and `entity:*:field:value`. Invalidation may drop more than they
    name, never less: a row takes the answers to queries of its entity with it, a pattern every entry of it.

    Args:
        cache: the cache of the database.
        records: finds the records of an entity type; raises UnknownEntityError.
    """

    def __init__(self, cache: Cache, records: "Finder") -> None:
        self._cache = cache
        self._records = records

    async def get(self, key: str) -> dict[str, Any] | None:
        """The row that `entity:id` names, if it is in memory and valid; neither the database is asked for it, nor Redis.

        Raises:
            UnknownEntityError: there is no such entity.
            ValidationFailedError: not a key, or not that of one row.
        """
        self._cache.home.require()
        name, rest = _parts(key)
        if rest is None or rest == "*" or rest.startswith("*:"):
            raise _refused(key, "name one row, as in `track:0197...`")
        records = self._records(name)
        return await records.remembered(rest) if await self._cache.trust.renewed() else None

    async def invalidate(self, key: str) -> None:
        """Forget the row that `entity:id` names, and every answer that it could be part of; all rows for `entity`.

        Raises:
            UnknownEntityError: there is no such entity.
            ValidationFailedError: not a key.
        """
        self._cache.home.require()
        name, rest = _parts(key)
        if rest is not None and (rest == "*" or rest.startswith("*:")):
            raise _refused(key, "patterns are for `invalidate_pattern`")
        await self._drop(self._records(name).tags_of(rest))

    async def invalidate_pattern(self, pattern: str) -> None:
        """Forget every entry that a pattern names.

        Raises:
            UnknownEntityError: there is no such entity.
            UnknownFieldError: the entity has no such field.
            ValidationFailedError: not a pattern.
        """
        self._cache.home.require()
        name, rest = _parts(pattern)
        records = self._records(name)
        if rest is not None and rest.startswith("*:"):
            field, colon, _ = rest[2:].partition(":")
            if not colon:
                raise _refused(pattern, f"write {_FORMS}")
            if field not in records.spec.fields:
                raise UnknownFieldError(
                    f"{name} has no field {field!r}",
                    f"Use one of {', '.join(records.spec.fields)}.",
                    entity_type=name,
                    operation="invalidate_pattern",
                    field=field,
                )
        # Which entries a value is in, they do not say: all of the entity go.
        one_row = rest if rest is not None and not rest.startswith("*") else None
        await self._drop(records.tags_of(one_row))

    async def clear(self) -> None:
        """Forget everything; with Redis, in every program."""
        self._cache.home.require()
        self._cache.forget()
        await self._tell(None)

    async def warm(
        self,
        entity_type: str,
        where: Mapping[str, Any] | None = None,
        *,
        order_by: Order = None,
        limit: int | None = None,
    ) -> int:
        """Read matching rows into memory, each by its key, for those who will ask for them; at most as many as are kept.

        Args:
            entity_type: which entity.
            where: a filter; all rows without one.
            order_by: which rows come first.
            limit: how many at most.

        Returns:
            How many there were.

        Raises:
            UnknownEntityError: there is no such entity.
            ValidationFailedError: not a filter, an order or a limit.
        """
        self._cache.home.require()
        return await self._records(entity_type).warmed(where, order_by, limit)

    @property
    def reason(self) -> str | None:
        """Why the second tier is not asked at the moment, in words; None where it is, or there is none."""
        return None if self._cache.tier is None else self._cache.tier.reason

    def stats(self) -> dict[str, dict[str, Any]]:
        """The hit rates of each entity that was asked for, in memory and in Redis, since the database was made."""
        return self._cache.by_entity()

    async def _drop(self, tags: Collection[Tag]) -> None:
        self._cache.invalidate(tags)
        await self._tell(tags)

    async def _tell(self, tags: Collection[Tag] | None) -> None:
        dropping = self._cache.drop(tags, lambda: None)
        if dropping is not None:
            await asyncio.shield(dropping)


class Finder(Protocol):
    """Finds the records of an entity type."""

    def __call__(self, entity_type: str, /) -> Remembers:
        """The records; raises UnknownEntityError."""
        ...


def _parts(key: str) -> tuple[str, str | None]:
    if not isinstance(key, str):
        raise _refused(key, f"write {_FORMS}")
    name, colon, rest = key.partition(":")
    if not name or (colon and not rest):
        raise _refused(key, f"write {_FORMS}")
    return name, rest if colon else None


def _refused(key: object, step: str) -> ValidationFailedError:
    return ValidationFailedError(
        f"{key!r} is not a key of the cache", step[0].upper() + step[1:] + ".", operation="cache"
    )
