"""Every encrypted value written anew with the newest key, while others read and write."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from soulspot_db.encryption import State, UnreadableError
from soulspot_db.engine.base import Rows, Statement
from soulspot_db.entity import Entity, EntitySchema
from soulspot_db.errors import DecryptionFailedError
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.visibility import Visibility
from soulspot_db.registry import EntityRegistry
from soulspot_db.repositories.access import EntityAccess
from soulspot_db.schema import resolved
from soulspot_db.sessions.operations import Effects, Read, Write
from soulspot_db.sessions.session import HasSession
from soulspot_db.sql.keyset import beyond, complete

__all__ = ["Progress", "Rotated", "rotate_keys"]

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is being done, how many rows of it are done, and how many there are."""

_OPERATION = "rotate"
_SIZE = 500  # rows that are written in one transaction
_PASSES = 3  # at most, where others change values between reading and writing them
_NAMED = 20  # of the values that cannot be read


@dataclass(slots=True)
class Rotated:
    """What became of the values of one entity.

    `encrypted` were plain before, `renewed` of an older key; `overtaken` were changed by others each time before
    they could be written.
    """

    entity_type: str
    encrypted: int = 0
    renewed: int = 0
    overtaken: int = 0

    def count(self, state: State | None) -> None:
        """Count a value that was written, by what it was before; None for one that others had changed."""
        self.overtaken += state is None
        self.encrypted += state == "plain"
        self.renewed += state == "older"


async def rotate_keys(db: HasSession, progress: Progress) -> list[Rotated]:
    """Write every encrypted value of the registered entities that is not of the newest key, or still plain, with that key.

    First everything is read: where a value cannot be, nothing is written. Then each value is put in the place of the stored
    one as long as that is still there, so that what others write meanwhile stays. Batches are committed one by one: a run
    that was stopped is simply begun again. No events are published, and no cached row gets old: the values are the same.

    Args:
        db: an open database.
        progress: told after each batch.

    Returns:
        What was done, for each entity with encrypted fields.

    Raises:
        DecryptionFailedError: no key opens some values; `context["values"]` names them by field and row.
        ConfigurationError: there is no key.
    """
    schemas = map(EntityRegistry.get_schema, EntityRegistry.list_entity_types())
    found = [_Rotation(db, schema) for schema in schemas if _encrypted(schema)]
    unreadable = [problem for each in found for problem in await each.unreadable(progress)]
    if unreadable:
        raise _refused(unreadable, "Nothing was written.")
    return [await each.rotate(progress) for each in found]


def _encrypted(schema: type[EntitySchema]) -> list[FieldSpec]:
    return [field for field in resolved(schema).spec.fields.values() if field.encrypted]


class _Rotation(EntityAccess[Entity]):
    """The values of one entity, as they are stored."""

    def __init__(self, db: HasSession, schema: type[EntitySchema]) -> None:
        self.schema = schema  # type: ignore[misc]  # the class variable of others
        # Hidden rows are brought back one day, when the old key is gone.
        super().__init__(db, Visibility(deleted=True, expired=True))
        names = list(self._plan.spec.fields)
        self._fields = [(field.name, names.index(field.name)) for field in _encrypted(schema)]

    async def unreadable(self, progress: Progress) -> list[str]:
        """The values that no key opens, in words."""
        found = []
        async for rows in self._pages("reading", progress):
            for row in rows:
                for name, stored in self._stored(row):
                    try:
                        self._look(stored)
                    except UnreadableError:
                        found.append(self._named(name, row))
        return found

    async def rotate(self, progress: Progress) -> Rotated:
        """Write what is not of the newest key; again, where others were in the way."""
        done = Rotated(self._plan.spec.entity_type)
        for _ in range(_PASSES):
            done.overtaken = 0
            async for rows in self._pages("encrypting", progress):
                await self._rotate(rows, done)
            if not done.overtaken:
                break
        return done

    async def _rotate(self, rows: Rows, done: Rotated) -> None:
        plan = self._plan
        statements: list[Statement] = []
        states: list[State] = []
        for row in rows:
            for name, stored in self._stored(row):
                try:
                    state, plain = self._look(stored)
                except UnreadableError:  # written since everything was read
                    raise _refused([self._named(name, row)], "What was encrypted before stays so.") from None
                if state != "newest":
                    token = plan.cipher.encrypt(plain)
                    new = token if isinstance(stored, bytes) else token.decode("ascii")
                    statements.append(plan.queries.replace(name, plan.codec.stored_key(row), stored, new))
                    states.append(state)
        for state, written in zip(states, await self._written(statements), strict=True):
            done.count(state if written else None)

    async def _written(self, statements: Sequence[Statement]) -> Sequence[Rows]:
        if not statements:
            return []
        # What rows mean does not change, so nothing that is kept in memory gets old, and nobody has to be told.
        return await self._do(_OPERATION, Write(statements, (), lambda _results: Effects(), list))

    def _look(self, stored: str | bytes) -> tuple[State, bytes]:
        return self._plan.cipher.look(stored if isinstance(stored, bytes) else stored.encode())

    def _stored(self, row: Sequence[Any]) -> list[tuple[str, Any]]:
        return [(name, row[position]) for name, position in self._fields if row[position] is not None]

    def _named(self, field: str, row: Sequence[Any]) -> str:
        return f"{field} of {self._plan.spec.entity_type} {self._plan.codec.id_of(row) or '(its key is sensitive)'}"

    async def _pages(self, doing: str, progress: Progress) -> AsyncIterator[Rows]:
        plan = self._plan
        ((total,),) = await self._read(plan.queries.count(None))
        order, after, done = complete((), plan.spec.key), None, 0
        while rows := await self._read(plan.queries.select(after, order_by=order, limit=_SIZE)):
            yield rows
            done += len(rows)
            progress(f"{doing} {plan.spec.entity_type}", done, max(total, done))
            after = beyond(order, plan.codec.decode_key(plan.codec.stored_key(rows[-1])), ())

    async def _read(self, statement: Statement) -> Rows:
        request: Read[Rows] = Read(self._region, None, (), lambda: statement, list, fresh=True)
        return await self._ask(_OPERATION, request)


def _refused(unreadable: Sequence[str], outcome: str) -> DecryptionFailedError:
    count = len(unreadable)
    what = "1 value" if count == 1 else f"{count} values"
    named = "; ".join(unreadable[:_NAMED]) + (f"; and {count - _NAMED} more" if count > _NAMED else "")
    return DecryptionFailedError(
        f"no key in ENCRYPTION_KEYS opens {what}: {named}",
        f"{outcome} Add the key that they were written with behind the others in ENCRYPTION_KEYS, and run it again.",
        "If that key is lost, so are the values: set them to null, or store others, and run it again.",
        operation=_OPERATION,
        values=list(unreadable),
    )
