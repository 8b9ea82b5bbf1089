"""Related rows in the facade's terms: to be included in what is read, asked for, and put in order."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from soulspot_db.entity import Entity
from soulspot_db.facade.terms import Record, RecordTerms
from soulspot_db.fairness import spread
from soulspot_db.repositories.relations.relatives import Node, Relatives, Tree

__all__ = ["Include", "RecordRelations"]

Include = Sequence[str] | None


class RecordRelations(RecordTerms):
    """What the facade does with related rows."""

    async def related(
        self,
        entity_id: str,
        relation: str,
        where: Mapping[str, Any] | None,
        *,
        include: Include = None,
        fresh: bool = False,
        **options: Any,
    ) -> Any:
        """The related rows of one row, or the related row; None where there is no such row."""
        self._related(relation)  # which refuses what is no relation
        row = await self._look_up(entity_id, fresh=fresh)
        if row is None:
            return None
        many, others = self._plan.spec.relations[relation].many, self._relatives.at(relation)
        tree = others.tree(include or (), "related")
        found: list[Any]
        if many:
            found = await self._children(relation, row, where, fresh=fresh, **options)
        elif where is not None or any(value is not None for value in options.values()):
            raise self._refuse("related", f"no filter, order or limit for {relation}, which is one row")
        else:
            parent: Entity | None = await self._parent(relation, row, fresh=fresh)
            found = [] if parent is None else [parent]
        shown = await self._dicts(await others.nodes(found, tree, fresh=fresh))
        return shown if many else next(iter(shown), None)

    async def arrange(
        self,
        entity_id: str,
        relation: str,
        *,
        add: Sequence[str] | None,
        remove: Sequence[str] | None,
        move: str | None,
        replace: Sequence[str] | None,
        at: int | None,
    ) -> int:
        """Change which rows a relation has, or their order."""
        asked = {"add": add, "remove": remove, "move": move, "replace": replace}
        given = [name for name, value in asked.items() if value is not None]
        has_place = at is not None
        if len(given) != 1 or (has_place and given[0] in {"remove", "replace"}) or (not has_place and move is not None):
            raise self._refuse("arrange", "one of add, remove, move and replace; move takes at as well, and add can")
        _, rows = self._related(relation)
        row = await self._look_up(entity_id, fresh=True)
        if row is None:
            raise self._no_row(entity_id)
        listed: Any = [move] if move is not None else self._listed(asked[given[0]], "ids", "arrange")
        keys = [rows.parsed_key(text, "arrange") for text in listed]
        match given[0]:
            case "add":
                return await self._add_to(relation, row, keys, at=at)
            case "remove":
                return await self._remove_from(relation, row, keys)
            case "replace":
                return await self._replace(relation, row, keys)
            case _:
                return int(await self._move_in(relation, row, keys[0], cast("int", at)))

    @property
    def _relatives(self) -> Relatives:
        return Relatives(self._db, self.schema)

    def _wanted(self, include: Include, operation: str) -> Tree:
        return {} if include is None else self._relatives.tree(include, operation)

    async def _shown(self, rows: Sequence[Entity], tree: Tree, *, fresh: bool) -> list[Record]:
        """Dicts of rows, in which there are dicts of the related rows that were asked for."""
        if not tree:
            return await self._exported(rows)
        return await self._dicts(await self._relatives.nodes(rows, tree, fresh=fresh))

    async def _dicts(self, nodes: Sequence[Node]) -> list[Record]:
        return await spread(nodes, Node.exported, self._plan.turns)
