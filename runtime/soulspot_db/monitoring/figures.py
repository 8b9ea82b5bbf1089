"""What is counted of each operation of each entity."""

from collections.abc import Iterator

from soulspot_db.monitoring.latencies import Latencies

__all__ = ["EntityFigures", "Figures", "OperationFigures"]


class OperationFigures:
    """One operation of one entity, since the database was made.

    Args:
        entity_type: the entity.
        operation: the method.
        within: the module of generated code, whose lines are not the caller's.
    """

    __slots__ = (
        "entity_type",
        "errors",
        "hits",
        "latencies",
        "operation",
        "rows",
        "running",
        "succeeded",
        "waiting",
        "within",
    )

    def __init__(self, entity_type: str, operation: str, within: str) -> None:
        self.entity_type = entity_type
        self.operation = operation
        self.within = within
        self.hits = 0
        """Answers from memory at once, which are not timed: that would cost more than they do."""
        self.succeeded = 0
        self.errors = 0
        self.rows = 0
        self.waiting = 0.0
        self.running = 0.0
        self.latencies = Latencies()

    @property
    def timed(self) -> int:
        """How many calls were not answered from memory at once."""
        return self.succeeded + self.errors

    @property
    def count(self) -> int:
        """How many calls there were."""
        return self.timed + self.hits

    def add(self, duration: float, running: float, rows: int, *, failed: bool) -> None:
        """Count a call that took `duration` seconds, of which its statements ran for `running`."""
        # Each count is kept by itself: the difference of two could fall for a thread that reads them meanwhile.
        if failed:
            self.errors += 1
        else:
            self.succeeded += 1
        self.running += running
        self.waiting += duration - running
        self.rows += rows
        self.latencies.add(duration)


class EntityFigures(dict[str, OperationFigures]):
    """The operations of one entity, by name; those that were never called are not there until they are asked for."""

    def __init__(self, entity_type: str, within: str = "") -> None:
        super().__init__()
        self._entity_type = entity_type
        self._within = within

    def __missing__(self, operation: str) -> OperationFigures:
        """A new one. There are as many as entities have methods, relations and named queries."""
        made = self[operation] = OperationFigures(self._entity_type, operation, self._within)
        return made


class Figures:
    """All operations of one database."""

    def __init__(self) -> None:
        self._entities: dict[str, EntityFigures] = {}

    def of(self, entity_type: str, within: str = "") -> EntityFigures:
        """Those of an entity, made on first use."""
        found = self._entities.get(entity_type)
        if found is None:
            found = self._entities[entity_type] = EntityFigures(entity_type, within)
        return found

    def __iter__(self) -> Iterator[OperationFigures]:
        # Copies, because an exporter's thread may read while the loop counts.
        for entity in self._entities.copy().values():
            yield from dict(entity).values()
