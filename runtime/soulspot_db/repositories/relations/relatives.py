"""Related rows to any depth, with one statement for each relation, in the facade's terms: paths in, dicts out."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar

from soulspot_db.entity import Entity, EntitySchema
from soulspot_db.errors import UnknownFieldError
from soulspot_db.language.nearest import nearest
from soulspot_db.language.relations import HasRelations
from soulspot_db.registry import EntityRegistry
from soulspot_db.repositories.relations.relating import RelatingRepository
from soulspot_db.sessions.session import HasSession, SessionLike

__all__ = ["Node", "Relatives", "Tree", "together"]

T = TypeVar("T")
_MAX_DEPTH = 32

Tree: TypeAlias = "Mapping[str, Tree]"
"""The relations to follow, each with those to follow from its rows."""


@dataclass(frozen=True, slots=True)
class Node:
    """A row, what makes a dict of it, and the related rows that were asked for."""

    row: Entity
    export: Callable[[Entity], dict[str, Any]]
    related: "Mapping[str, Node | list[Node] | None]"

    def exported(self) -> dict[str, Any]:
        """Dicts of the caller's own, also where rows share a relative."""
        found = self.export(self.row)
        for name, related in self.related.items():
            if isinstance(related, list):
                found[name] = [each.exported() for each in related]
            else:
                found[name] = None if related is None else related.exported()
        return found


class Relatives(RelatingRepository[Entity, Any]):
    """An entity whose rows are asked for together with what belongs to them.

    Args:
        db: where they are read.
        schema: the entity.
    """

    def __init__(self, db: HasSession, schema: type[EntitySchema]) -> None:
        self.schema = schema  # type: ignore[misc]  # the class variable of others
        super().__init__(db)

    def at(self, relation: str) -> "Relatives":
        """The entity at the other end of a relation."""
        return Relatives(self._db, EntityRegistry.get_schema(self._plan.spec.relations[relation].entity))

    def tree(self, paths: Sequence[str], operation: str) -> Tree:
        """The relations that paths such as `album.artist` name.

        Raises:
            UnknownFieldError: there is no such relation.
            ValidationFailedError: something else than a list of paths.
        """
        tree: dict[str, Any] = {}
        for path in self._listed(paths, "relations to include", operation):
            if not isinstance(path, str) or path.count(".") >= _MAX_DEPTH:
                raise self._refuse(operation, f"relations to include such as 'album.artist', {_MAX_DEPTH} deep at most")
            entity: HasRelations = self._plan.spec
            branch = tree
            for name in path.split("."):
                if name not in entity.relations:
                    raise _unknown(name, entity, operation)
                branch = branch.setdefault(name, {})
                entity = self._plan.find(entity.relations[name].entity)
        return tree

    async def nodes(self, rows: Sequence[Entity], tree: Tree, *, fresh: bool) -> list[Node]:
        """The rows with what the tree names."""
        branches = [partial(self._branch, name, rows, below, fresh=fresh) for name, below in tree.items()]
        found = await together(self._session, branches)
        export = self._plan.codec.export
        return [
            Node(row, export, dict(zip(tree, related, strict=True))) for row, *related in zip(rows, *found, strict=True)
        ]

    async def _branch(
        self, name: str, rows: Sequence[Entity], below: Tree, *, fresh: bool
    ) -> "list[Node | list[Node] | None]":
        found: list[Any]
        many = self._plan.spec.relations[name].many
        if many:
            found = await self._children_of(name, rows, fresh=fresh)
        else:
            found = await self._parents(name, rows, fresh=fresh)
        # A row that several have in common is asked about once.
        others = {id(each): each for each in _flat(found)}
        nodes = dict(zip(others, await self.at(name).nodes(list(others.values()), below, fresh=fresh), strict=True))
        if many:
            return [[nodes[id(each)] for each in related] for related in found]
        return [None if related is None else nodes[id(related)] for related in found]


async def together(session: SessionLike, loads: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """What each of them loads: at the same time, but for a transaction, in which one statement follows another."""
    if len(loads) <= 1 or session.current() is not None:
        return [await load() for load in loads]

    async def loaded(load: Callable[[], Awaitable[T]]) -> T:
        return await load()

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(loaded(load)) for load in loads]
    except ExceptionGroup as problems:
        raise problems.exceptions[0] from None
    return [task.result() for task in tasks]


def _unknown(name: str, entity: HasRelations, operation: str) -> UnknownFieldError:
    hint = nearest(name, entity.relations)
    return UnknownFieldError(
        f"{entity.entity_type} has no relation {name!r} to include" + (f"; {hint}" if hint else ""),
        f"Use one of its relations: {', '.join(entity.relations) or 'it has none'}.",
        entity_type=entity.entity_type,
        operation=operation,
        field=name,
    )


def _flat(found: Sequence[Any]) -> Iterator[Entity]:
    for related in found:
        if isinstance(related, list):
            yield from related
        elif related is not None:
            yield related
