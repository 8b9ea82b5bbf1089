"""Named queries as SQLite is to explain them: as the runtime sends them, with `:given` for what is given later."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from soulspot_db.language.conditions import Conditions, quoted
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.order import Term
from soulspot_db.language.outputs import Output
from soulspot_db.language.predicates import Compare, Group, Now, Param, Predicate, Related, all_of
from soulspot_db.language.queries import QuerySpec
from soulspot_db.language.spec import EntitySpec
from soulspot_db.language.template import certain
from soulspot_db.language.visibility import visible

__all__ = ["Asked", "questions"]

Find = Callable[[str], EntitySpec]
_GIVEN = ":given"


@dataclass(frozen=True, slots=True)
class Asked:
    """One statement of a query.

    `is_bare`: without the optional parts. `stops`: whether it ends at a limit. `names`: the entities by what their tables are
    called in the statement.
    """

    sql: str
    where: Predicate | None
    order: tuple[Term, ...]
    is_bare: bool
    stops: bool
    names: dict[str, EntitySpec]


def questions(query: QuerySpec, entity: EntitySpec, find: Find) -> Iterator[Asked]:
    """The statements of a query: with all its optional parts, and with none of them.

    Args:
        query: the query.
        entity: its entity.
        find: finds other entities by their type.
    """
    whole = _matching(query) if query.verb == "upsert" else query.where
    bare = None if whole is None else certain(whole)
    yield _asked(query, whole, entity, find, is_bare=False)
    if bare != whole:
        yield _asked(query, bare, entity, find, is_bare=True)


def _matching(query: QuerySpec) -> Predicate:
    """What finds the row that an upsert changes."""
    matches = (
        Group("and", tuple(Compare(part.field, part.operator, (Param(part.field),)) for part in match))
        for match in query.match
    )
    return Group("or", tuple(matches))


def _asked(query: QuerySpec, where: Predicate | None, entity: EntitySpec, find: Find, *, is_bare: bool) -> Asked:
    conditions = _Asking(entity, find, {entity.table_name: entity}, entity.table_name)
    stops = query.limit is not None or query.single or query.verb in {"exists", "page", "upsert"}
    order = _order(query, entity, stops=stops)
    parts = [f"SELECT {'DISTINCT ' if query.distinct else ''}{_selected(query, conditions)}"]
    parts.append(f"FROM {quoted(entity.table_name)}")
    found = all_of(where, visible(entity))
    if found is not None:
        parts.append(f"WHERE {conditions.sql(found)}")
    if query.group_by:
        parts.append("GROUP BY " + ", ".join(conditions.column(entity.fields[name]) for name in query.group_by))
    terms = [*_ranks(query, conditions), *(_term(term, query, conditions) for term in order)]
    if terms:
        parts.append(f"ORDER BY {', '.join(terms)}")
    if stops:
        parts.append(f"LIMIT {'1' if query.verb == 'exists' else _GIVEN} OFFSET 0")
    return Asked(" ".join(parts), where, order, is_bare, stops, conditions.names)


def _order(query: QuerySpec, entity: EntitySpec, *, stops: bool) -> tuple[Term, ...]:
    """The order, which is by key where rows are cut off and nothing else is said, and goes on by key in pages."""
    if query.verb in {"count", "exists", "update", "delete"}:
        return ()
    if query.verb == "page":
        named, descending = {term.field for term in query.order}, bool(query.order) and query.order[-1].descending
        return (*query.order, *(Term(name, descending) for name in entity.key if name not in named))
    by_key = stops and not query.order and not query.outputs
    return tuple(Term(name, descending=False) for name in entity.key) if by_key else query.order


def _ranks(query: QuerySpec, conditions: "_Asking") -> Iterator[str]:
    """The first match of an upsert comes first."""
    matching = _matching(query)
    if query.verb == "upsert" and isinstance(matching, Group) and len(matching.parts) > 1:
        cases = (f"WHEN {conditions.sql(part)} THEN {rank}" for rank, part in enumerate(matching.parts[:-1]))
        yield f"CASE {' '.join(cases)} ELSE {len(matching.parts) - 1} END"


def _selected(query: QuerySpec, conditions: "_Asking") -> str:
    if query.outputs:
        return ", ".join(_output(output, conditions) for output in query.outputs)
    return {"count": "count(*)", "exists": "1"}.get(query.verb, "*")


def _output(output: Output, conditions: "_Asking") -> str:
    column = "*" if output.field is None else conditions.column(output.field)
    if output.function is None:
        return column
    where = "" if output.where is None else f" FILTER (WHERE {conditions.sql(output.where)})"
    return f"{output.function}({'DISTINCT ' if output.distinct else ''}{column}){where}"


def _term(term: Term, query: QuerySpec, conditions: "_Asking") -> str:
    output = next((output for output in query.outputs if output.name == term.field), None)
    field = conditions.fields[term.field] if output is None else output.field
    text = conditions.column(conditions.fields[term.field]) if output is None else _output(output, conditions)
    nullable = output.nullable if output is not None else field is not None and field.nullable
    direction = " DESC" if term.descending else " ASC"
    return text + direction + ((" NULLS FIRST" if term.nulls_first else " NULLS LAST") if nullable else "")


class _Asking(Conditions):
    """Conditions with `:given` for what is given later, and with relations."""

    def __init__(self, entity: EntitySpec, find: Find, names: dict[str, EntitySpec], name: str) -> None:
        super().__init__(entity.fields, "sqlite")
        self.names = names
        self._find = find
        self._name = name

    def column(self, field: FieldSpec) -> str:
        """A field's column, with the name that its table has."""
        return f"{quoted(self._name)}.{quoted(field.column)}"

    def value(self, value: Any, field: FieldSpec) -> str:
        """A value that is known, or `:given`."""
        return _GIVEN if isinstance(value, (Param, Now)) else super().value(value, field)

    def text(self, operator: str, value: Any) -> str:
        """A pattern: where it is given later, one that says nothing, or words as people look for them."""
        if isinstance(value, Param):
            return _GIVEN if operator in {"ieq", "trimmed_ieq", "like", "ilike"} else super().text(operator, "words")
        return super().text(operator, value)

    def comparison(self, compare: Compare) -> str:
        """One comparison."""
        if self.fields[compare.field].type in {"json", "list"} and compare.operator in {"has", "contains"}:
            return f"json_type({self.column(self.fields[compare.field])}) = {_GIVEN}"
        if compare.operator in {"in", "not_in"} and any(isinstance(value, Param) for value in compare.values):
            compare = replace(compare, values=compare.values * 2)  # a list of one is as good as an equation
        return super().comparison(compare)

    def related(self, related: Related) -> str:
        """Whether there are such related rows."""
        relation, target = related.relation, self._beside(related.relation.entity)
        rows, key = target.source, target.column(target.fields[relation.remote])
        link = f"{key} = {self.column(self.fields[relation.local])}"
        seen: list[str] = []
        if (through := relation.through) is not None:
            between = self._beside(through.entity)
            seen += [] if related.visible_between is None else [f"AND ({between.sql(related.visible_between)})"]
            rows = f"{between.source} JOIN {rows} ON {between.column(between.fields[through.remote])} = {key}"
            link = f"{between.column(between.fields[through.local])} = {self.column(self.fields[relation.local])}"
        seen += [] if related.visible is None else [f"AND ({target.sql(related.visible)})"]
        inner = None if related.where is None else target.sql(related.where)
        if related.quantifier == "every":
            if inner is None:
                return "1 = 1"
            inner = f"NOT coalesce({inner}, 0)"
        asked = [] if inner is None else [f"AND ({inner})"]
        found = " ".join(["SELECT 1 FROM", rows, "WHERE", link, *seen, *asked])
        return f"EXISTS ({found})" if related.quantifier == "some" else f"NOT EXISTS ({found})"

    @property
    def source(self) -> str:
        """The table under its name."""
        return f"{quoted(self.names[self._name].table_name)} AS {quoted(self._name)}"

    def _beside(self, entity_type: str) -> "_Asking":
        """The same for another table, under a name of its own."""
        entity, name = self._find(entity_type), f"{len(self.names)}_{entity_type}"  # as no table is called
        self.names[name] = entity
        return _Asking(entity, self._find, self.names, name)
