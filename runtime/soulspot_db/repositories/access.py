"""What reading and writing an entity share: asking the session, checking arguments, making models."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

from pydantic import BaseModel

from soulspot_db.cache.region import MISS
from soulspot_db.entity import Entity, EntitySchema
from soulspot_db.errors import DatabaseError, ValidationFailedError
from soulspot_db.language.filters import parse_filter
from soulspot_db.language.order import Term, parse_order
from soulspot_db.language.predicates import Predicate
from soulspot_db.language.scope import FilterError
from soulspot_db.language.visibility import EVERYBODY, Visibility
from soulspot_db.repositories.refusals import explained, refused_filter
from soulspot_db.sessions.operations import Read, ReadMany, Write
from soulspot_db.sessions.session import HasSession, SessionLike

__all__ = ["EntityAccess", "Filter", "first"]

Model = TypeVar("Model", bound=Entity)
T = TypeVar("T")
Filter = Mapping[str, Any] | None


class EntityAccess(Generic[Model]):
    """One entity in one database or transaction.

    Args:
        db: a database, whose current transaction the calls join, or one transaction.
        also: what is found beside the rows that everybody finds.
    """

    schema: ClassVar[type[EntitySchema]]

    def __init__(self, db: HasSession, also: Visibility = EVERYBODY) -> None:
        self._db = db
        self._session: SessionLike = db.session
        self._plan = db.session.plans.of(self.schema, also)
        self._region = self._plan.region
        self._figures = self._plan.figures
        self._monitor = db.session.monitor
        self._listening = self._monitor.hooks.listening

    def _remembered(self, operation: str, asking: Hashable | None, *, fresh: bool) -> Any:
        """The answer to a question where it is known and can be had at once, else MISS.

        What is remembered needs no check: equal arguments of the same types were checked when they were asked first.
        """
        if fresh:
            return MISS
        if self._listening:
            return self._monitor.remembered(self._figures[operation], lambda: self._session.peek(self._region, asking))
        found = self._session.peek(self._region, asking)
        if found is not MISS:
            self._figures[operation].hits += 1
        return found

    def _remembered_many(self, operation: str, asking: Iterable[Hashable], *, fresh: bool) -> Any:
        """The answers to all questions where they can be had at once, else MISS; one operation."""
        if fresh:
            return MISS
        figures = self._figures[operation]
        return self._monitor.remembered(figures, lambda: self._session.peek_many(self._region, asking))

    # Asking the session. What the engine raises speaks of tables and columns; callers know entities and fields.

    def _ask_at_once(self, operation: str, request: Read[T]) -> Any:
        try:
            return self._monitor.at_once(self._figures[operation], self._session, request)
        except DatabaseError as error:
            raise explained(error, self._plan.spec, operation) from error.__cause__

    async def _ask(self, operation: str, request: Read[T]) -> T:
        try:
            return await self._monitor.read(self._figures[operation], self._session, request)
        except DatabaseError as error:
            raise explained(error, self._plan.spec, operation) from error.__cause__

    async def _ask_many(self, operation: str, request: ReadMany[T]) -> Mapping[Hashable, T]:
        try:
            return await self._monitor.read_many(self._figures[operation], self._session, request)
        except DatabaseError as error:
            raise explained(error, self._plan.spec, operation) from error.__cause__

    async def _do(self, operation: str, request: Write[T]) -> T:
        try:
            return await self._monitor.write(self._figures[operation], self._session, request)
        except DatabaseError as error:
            raise explained(error, self._plan.spec, operation) from error.__cause__

    # Checking and converting.

    def _filter(self, where: Filter, operation: str) -> Predicate | None:
        try:
            return parse_filter(where, self._plan.spec, find=self._plan.find)
        except FilterError as problem:
            raise refused_filter(problem, self._plan.spec, operation) from None

    def _order(self, order_by: str | Sequence[str] | None, operation: str) -> tuple[Term, ...]:
        try:
            return parse_order(order_by, self._plan.spec)
        except FilterError as problem:
            raise refused_filter(problem, self._plan.spec, operation) from None

    def _decode(self, row: tuple[Any, ...]) -> Model:
        return cast("Model", self._plan.codec.decode(row))

    def _check_model(self, given: object, model: type[BaseModel], operation: str) -> None:
        if not isinstance(given, model):
            raise self._refuse(operation, f"one {model.__name__}, got {type(given).__name__}")

    def _listed(self, given: Any, what: str, operation: str) -> Sequence[Any]:
        if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
            raise self._refuse(operation, f"a list of {what}, got {type(given).__name__}")
        return given

    def _refuse(self, operation: str, wanted: str) -> ValidationFailedError:
        return ValidationFailedError(
            f"{operation} of {self._plan.spec.entity_type} takes {wanted}",
            "docs/api.md shows what each method takes.",
            entity_type=self._plan.spec.entity_type,
            operation=operation,
        )


def first(models: Sequence[Model]) -> Model | None:
    """The only one there can be, if there is one."""
    return models[0] if models else None
