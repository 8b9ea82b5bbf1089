"""Named queries, checked and made explicit: what each finds, returns and does."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias

from immutabledict import immutabledict

from soulspot_db.language.exclusive import flags_of_group
from soulspot_db.language.field import FieldSpec, Problem
from soulspot_db.language.filters import parse_filter
from soulspot_db.language.folding import folded
from soulspot_db.language.mistakes import mistakes
from soulspot_db.language.order import Term, parse_order
from soulspot_db.language.outputs import NUMBERS, Output, resolve_output
from soulspot_db.language.params import INTEGER, TEXT, ParamSpec, Use, resolve_params, uses_of
from soulspot_db.language.predicates import Increment, Param, Predicate, filled
from soulspot_db.language.query_document import QueryDocument
from soulspot_db.language.relations import Find
from soulspot_db.language.scope import FilterError, HasFields, HasKey, field_of, stored_name
from soulspot_db.language.sql_query import SqlQuery
from soulspot_db.language.template import certain
from soulspot_db.language.upserts import Match, Rule, resolve_upsert
from soulspot_db.language.values import read_amount, read_param, read_value
from soulspot_db.language.virtual import VirtualId
from soulspot_db.language.virtual_conditions import begun, stored_value
from soulspot_db.language.visibility import HasHidden

__all__ = ["QuerySpec", "Verb", "resolve_queries"]

Verb: TypeAlias = Literal[
    "list", "page", "count", "exists", "column", "rows", "update", "delete", "claim", "upsert", "exec"
]


@dataclass(frozen=True)
class QuerySpec:
    """One named query with everything decided. `changes` are new values by field, for those that write."""

    name: str
    description: str | None
    verb: Verb
    params: Mapping[str, ParamSpec]
    single: bool
    """Whether one is returned, or None, where there could be many."""
    outputs: tuple[Output, ...] = ()
    where: Predicate | None = None
    order: tuple[Term, ...] = ()
    limit: int | Param | None = None
    group_by: tuple[str, ...] = ()
    distinct: bool = False
    changes: Mapping[str, Any] = immutabledict()
    match: tuple[Match, ...] = ()
    rules: Mapping[str, Rule] = immutabledict()
    all_rows: bool = False
    sql: SqlQuery | None = None
    """What it is where it is written in SQL, which then says all that stands above but for parameters and outputs."""

    @property
    def writes(self) -> bool:
        """Whether it changes rows, so that it is never answered from memory."""
        if self.sql is not None:
            return self.sql.verb != "select"
        return self.verb in {"update", "delete", "claim", "upsert"}

    @property
    def is_made_anew(self) -> bool:
        """Whether a parameter gets another value each time, so that no answer is given again."""
        return any(param.made is not None for param in self.params.values())

    @property
    def is_total(self) -> bool:
        """Whether it selects functions over all rows: always one row."""
        return not self.group_by and any(output.function for output in self.outputs)


@dataclass(frozen=True, slots=True)
class _Outputs:
    """What an order of selected values is checked against."""

    entity_type: str
    fields: Mapping[str, FieldSpec]
    virtual: Mapping[str, VirtualId] = immutabledict()


class _Queried(HasKey, HasHidden, Protocol):
    """What a query is checked against."""


def resolve_queries(
    documents: Mapping[str, QueryDocument], entity: "_Queried", find: Find | None, problems: list[Problem]
) -> dict[str, QuerySpec]:
    """Decide everything about the named queries of an entity; what is wrong goes to `problems`."""
    found = {}
    for name, document in documents.items():
        reader = _Reader(name, document, entity, find, problems)
        before = len(problems)
        spec = reader.read()
        if len(problems) == before:
            found[name] = spec
    return found


class _Reader:
    """Reads one query."""

    def __init__(
        self, name: str, document: QueryDocument, entity: "_Queried", find: Find | None, problems: list[Problem]
    ) -> None:
        self._name = name
        self._document = document
        self._entity = entity
        self._find = find
        self._problems = problems
        self._at = ("queries", name)

    def read(self) -> QuerySpec:
        document = self._document
        verb = self._verb()
        where = self._filter(document.where, "where")
        outputs = tuple(self._outputs(frozenset((*filled(where), *begun(where, self._entity)))))
        changes = dict(self._changes())
        limit = self._limit()
        uses = [*uses_of(where, self._entity)]
        for output in outputs:
            uses += uses_of(output.where, self._entity)
        uses += self._given(changes)
        uses += [Use(limit, INTEGER)] if isinstance(limit, Param) else []
        self._check_condition(verb, where)
        self._check_distinct(outputs)
        match, rules = self._upsert()
        return QuerySpec(
            name=self._name,
            description=document.description,
            verb=verb,
            where=where,
            order=self._order(outputs),
            limit=limit,
            outputs=outputs,
            group_by=self._group_by(outputs),
            distinct=document.distinct,
            changes=immutabledict(changes),
            params=immutabledict(resolve_params(document, uses, self._at, self._problems)),
            all_rows=document.all_rows,
            match=match,
            rules=immutabledict(rules),
            single=document.returns == "one" or (verb == "claim" and limit == 1),
        )

    def _wrong(self, message: str, *path: str | int, hint: str | None = None) -> None:
        self._problems.append(Problem((*self._at, *path), message, hint))

    def _verb(self) -> Verb:
        document = self._document
        given = document.model_fields_set & _DOES.keys()
        if len({_DOES[key] for key in given}) > 1:
            self._wrong(f"{' and '.join(sorted(given))} do not go together", hint="make two queries of it")
        doing = _DOES[next(iter(given))] if given else "list"
        for key in sorted(document.model_fields_set & _ONLY_WITH.keys()):
            if doing not in _ONLY_WITH[key]:
                self._wrong(f"{key!r} does not go with {' and '.join(sorted(given)) or 'a list of rows'}", key)
        if document.limit is not None and _is_total(document):
            self._wrong("functions over all rows are one row, which takes no limit", "limit")
        if doing == "claim" and not (document.order_by and document.limit):
            self._wrong("a claim needs 'order_by' and 'limit'", "claim", hint="say which rows come first, and how many")
        return self._returned(given) or ("column" if isinstance(document.select, str) else doing)

    def _returned(self, given: Collection[str]) -> Verb | None:
        """What `returns` makes of a query, where it is something else than rows."""
        document = self._document
        match document.returns:
            case "count" | "exists" as verb:
                if given or {"order_by", "limit"} & document.model_fields_set:
                    self._wrong(f"'returns: {verb}' goes with a 'where' alone", "returns")
                return verb
            case "page":
                if given:
                    self._wrong("'returns: page' is for rows", "returns")
                return "page"
            case "column" | "rows" | "exec":
                hint = "say in 'select' which values are wanted" if document.returns != "exec" else None
                self._wrong(f"'returns: {document.returns}' goes with 'sql'", "returns", hint=hint)
            case _:
                pass
        return None

    def _filter(self, where: Any, *path: str | int) -> Predicate | None:
        def parse(part: Any, entity: HasFields) -> Predicate | None:
            return parse_filter(part, entity, template=True, find=self._find)

        found = list(mistakes(where, self._entity, parse, self._find))
        for place, mistake in found:
            self._wrong(str(mistake), *path, *place)
        return None if found else parse(where, self._entity)

    def _check_condition(self, verb: Verb, where: Predicate | None) -> None:
        """A write must have a condition that is there whatever the caller gives."""
        if verb not in {"update", "delete"} or self._document.all_rows:
            return
        left = None if where is None else certain(where)
        if left is None or folded(left, self._entity.fields) is True:
            hint = "add one, or 'all_rows: true' if every row is meant"
            self._wrong("a write needs a condition that does not depend on what is given", "where", hint=hint)

    def _limit(self) -> int | Param | None:
        limit = self._document.limit
        if isinstance(limit, Mapping):
            try:
                return read_param(limit, "limit")
            except FilterError as error:
                self._wrong(str(error), "limit")
                return None
        if limit is not None and (isinstance(limit, bool) or limit < 0):
            self._wrong("limit must not be negative", "limit")
        return limit

    def _order(self, outputs: tuple[Output, ...]) -> tuple[Term, ...]:
        scope: HasFields = self._entity
        if outputs:
            scope = _Outputs(self._name, {output.name: replace(output.value, name=output.name) for output in outputs})
        try:
            return parse_order(self._document.order_by, scope)
        except FilterError as error:
            self._wrong(str(error), "order_by")
            return ()

    def _outputs(self, not_null: frozenset[str]) -> Iterator[Output]:
        select, grouped = self._document.select, bool(self._document.group_by)
        for name, wanted in ({select: select} if isinstance(select, str) else select or {}).items():
            try:
                output = resolve_output(name, wanted, self._entity, self._find, grouped=grouped, filled=not_null)
            except FilterError as error:
                self._wrong(str(error), "select", *(() if isinstance(select, str) else (name,)))
                continue
            if self._document.distinct and output.virtual is not None and output.nullable:
                hint = f"write 'where: {{{wanted}: {{ne: null}}}}'"
                self._wrong(f"{wanted} may be null for several values of {output.virtual.field}", "select", hint=hint)
            yield output

    def _check_distinct(self, outputs: tuple[Output, ...]) -> None:
        for output in outputs if self._document.distinct else ():
            if output.value.encrypted:
                self._wrong(f"{output.name} is encrypted, so equal values cannot be told", "distinct")

    def _group_by(self, outputs: tuple[Output, ...]) -> tuple[str, ...]:
        names = tuple(self._document.group_by)
        for position, name in enumerate(names):
            try:
                if field_of(name, self._entity).encrypted:
                    self._wrong(f"{name} is encrypted, and makes no groups", "group_by", position)
            except FilterError as error:
                self._wrong(str(error), "group_by", position)
        if names or any(output.function for output in outputs):
            for output in outputs:
                if output.function is None and output.field is not None and output.field.name not in names:
                    message = f"{output.field.name} may have several values in a group"
                    self._wrong(message, "select", hint="add it to 'group_by', or use min or max")
        return names

    def _changes(self) -> Iterator[tuple[str, Any]]:
        document = self._document
        for key in ("update", "claim", "increment"):
            for name, wanted in (getattr(document, key) or {}).items():
                try:
                    yield stored_name(name, self._entity), self._change(key, name, wanted)
                except FilterError as error:
                    self._wrong(str(error), key, name)

    def _change(self, key: str, name: str, wanted: Any) -> Any:
        if (virtual := self._entity.virtual.get(name)) is not None:
            wanted = stored_value(name, virtual, wanted)
        field = field_of(stored_name(name, self._entity), self._entity)
        if field.name in self._entity.key:
            raise FilterError(f"{name} is part of the key, which cannot be changed")
        if field.name == self._entity.soft_delete:
            raise FilterError(f"{name} is set by deleting, and cleared by restoring")
        if field.exclusive is not None and (key == "claim" or not _is_plain(wanted)):
            raise FilterError(
                f"{name} is exclusive: a claim cannot give it, and its value is true, false or a parameter"
            )
        if key == "increment" or (isinstance(wanted, Mapping) and "param" not in wanted):
            self._check_group(name, field)
        if key != "increment":
            return wanted if isinstance(wanted, Param) else read_value(field, wanted, self._entity)
        if field.type not in NUMBERS:
            raise FilterError(f"{name} is of type {field.type}; numbers can be incremented")
        amount = read_amount(field, wanted)
        return Increment(amount)

    def _check_group(self, name: str, field: FieldSpec) -> None:
        """Who gets a flag takes it from the row of his new group, which must be known beforehand."""
        given = {stored_name(each, self._entity) for each in self._document.update or ()}
        for flag in given.intersection(flags_of_group(field.name, self._entity.fields)):
            raise FilterError(
                f"{name} says among which rows {flag} is exclusive: beside it, it is given a value or a parameter"
            )

    def _upsert(self) -> tuple[tuple[Match, ...], dict[str, Rule]]:
        upsert = self._document.upsert
        if upsert is None:
            return (), {}
        return resolve_upsert(upsert, self._entity, (*self._at, "upsert"), self._problems)

    def _given(self, changes: Mapping[str, Any]) -> Iterator[Use]:
        for name, value in changes.items():
            field = self._entity.fields[name]
            if isinstance(value, Param) and value.virtual is not None:
                yield Use(value, TEXT, nullable=field.nullable)
            elif isinstance(value, Param):
                yield Use(value, field, nullable=field.nullable, stored=True)
            elif isinstance(value, Increment) and isinstance(value.amount, Param):
                yield Use(value.amount, field)


def _is_plain(wanted: Any) -> bool:
    return isinstance(wanted, bool) or (isinstance(wanted, Mapping) and "param" in wanted)


def _is_total(document: QueryDocument) -> bool:
    """Whether functions over all rows are selected."""
    select = document.select
    return (
        isinstance(select, Mapping)
        and not document.group_by
        and any(isinstance(each, Mapping) for each in select.values())
    )


_DOES: Mapping[str, Verb] = {
    "select": "rows",
    "update": "update",
    "increment": "update",
    "delete": "delete",
    "claim": "claim",
    "upsert": "upsert",
}
_ONLY_WITH: Mapping[str, frozenset[Verb]] = {
    "where": frozenset({"list", "rows", "update", "delete", "claim"}),
    "params": frozenset({"list", "rows", "update", "delete", "claim"}),
    "columns": frozenset(),
    "order_by": frozenset({"list", "rows", "claim"}),
    "limit": frozenset({"list", "rows", "claim"}),
    "returns": frozenset({"list", "rows"}),
    "distinct": frozenset({"rows"}),
    "group_by": frozenset({"rows"}),
    "all_rows": frozenset({"update", "delete"}),
}
