"""Named queries in SQL, checked and made explicit: what of a text can be told without a database."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from immutabledict import immutabledict

from soulspot_db.language.conditions import DIALECTS, Dialect
from soulspot_db.language.field import Problem, resolve_field
from soulspot_db.language.names import check_field_name
from soulspot_db.language.nearest import nearest
from soulspot_db.language.outputs import Output
from soulspot_db.language.params import ParamSpec, declared_params
from soulspot_db.language.predicates import Predicate
from soulspot_db.language.queries import QuerySpec, Verb
from soulspot_db.language.query_document import QueryDocument
from soulspot_db.language.scope import HasKey
from soulspot_db.language.sql_clock import is_timed, reads_times
from soulspot_db.language.sql_query import Analyse, SqlAnalysis, SqlQuery, Statements
from soulspot_db.language.sql_statement import SqlError, SqlStatement, read_statement
from soulspot_db.language.sql_writes import check_insert, check_update
from soulspot_db.language.visibility import HasHidden

__all__ = ["HasTable", "resolve_sql_query"]

_GOES_WITH_SQL = frozenset({"description", "sql", "returns", "columns", "params", "all_rows", "full_scan"})
_VERBS: Mapping[str, Verb] = {
    "many": "list",
    "one": "list",
    "count": "count",
    "column": "column",
    "rows": "rows",
    "exec": "exec",
}
_TEXTS = frozenset({"string", "text", "enum"})


class HasTable(HasKey, HasHidden, Protocol):
    """What a query in SQL is checked against."""

    @property
    def table_name(self) -> str:
        """The entity's table."""
        ...

    @property
    def guards(self) -> Mapping[str, Predicate]:
        """What keeps rows from being deleted."""
        ...


def resolve_sql_query(
    name: str, document: QueryDocument, entity: HasTable, analyse: Analyse, problems: list[Problem]
) -> QuerySpec | None:
    """Decide everything about one query in SQL; what is wrong goes to `problems`.

    Args:
        name: the query's.
        document: what the schema says of it.
        entity: whose query it is.
        analyse: what a database says of it.
        problems: what is wrong.
    """
    before = len(problems)
    reader = _Reader(name, document, entity, problems)
    statements = reader.statements()
    if len(problems) > before:
        return None
    params = reader.params(statements)
    try:
        analysis = analyse(name, statements)
    except SqlError as error:
        reader.wrong(str(error), "sql", "sqlite", hint=error.hint)
        return None
    outputs = tuple(reader.outputs(statements["sqlite"], analysis))
    if len(problems) > before:
        return None
    timed = [is_timed(text) or (reads_times(text) and _has_text(params)) for text in statements.values()]
    return QuerySpec(
        name=name,
        description=document.description,
        verb=_VERBS[document.returns or "many"],
        outputs=outputs,
        params=immutabledict(params),
        single=document.returns == "one",
        sql=SqlQuery(immutabledict(statements), analysis, is_timed=any(timed)),
    )


def _has_text(params: Mapping[str, ParamSpec]) -> bool:
    return any(param.field.type in _TEXTS for param in params.values())


class _Reader:
    """Reads one query."""

    def __init__(self, name: str, document: QueryDocument, entity: HasTable, problems: list[Problem]) -> None:
        self._document = document
        self._entity = entity
        self._problems = problems
        self._at = ("queries", name)

    def wrong(self, message: str, *path: str | int, hint: str | None = None) -> None:
        self._problems.append(Problem((*self._at, *path), message, hint))

    def statements(self) -> Statements:
        """The statement for each database."""
        for key in sorted(self._document.model_fields_set - _GOES_WITH_SQL):
            self.wrong(f"{key!r} does not go with 'sql'", key, hint="say it in the text")
        if self._document.returns in {"page", "exists"}:
            self.wrong(f"'returns: {self._document.returns}' does not go with 'sql'", "returns")
        texts = self._document.sql
        found: dict[Dialect, SqlStatement] = {}
        for dialect in DIALECTS:
            text = texts if isinstance(texts, str) else getattr(texts, dialect)
            try:
                found[dialect] = self._statement(text, dialect)
            except SqlError as error:
                self.wrong(str(error), "sql", dialect, hint=error.hint)
        if len(found) == len(DIALECTS):
            self._compare(*found.values())
        return found

    def _statement(self, text: str, dialect: Dialect) -> SqlStatement:
        statement = read_statement(text, dialect)
        if statement.verb == "select":
            self._check_select(statement)
            if statement.has_late_star:
                raise SqlError(
                    "* in rows that are put together is not possible, because no schema tells the order of columns",
                    "name the columns in every part",
                )
            columns = [field.column for field in self._entity.fields.values()]
            return statement.expanded(columns) if self._returns_entities else statement
        self._check_write(statement)
        return statement

    @property
    def _returns_entities(self) -> bool:
        return self._document.returns in {None, "many", "one"}

    def _check_select(self, statement: SqlStatement) -> None:
        match self._document.returns:
            case "exec":
                raise SqlError("'returns: exec' is for what writes", "say what the SELECT finds: many, one, rows, ...")
            case "count":
                if not statement.counts:
                    raise SqlError("'returns: count' is for SELECT count(...) of all rows", "or say 'returns: column'")
            case "column" | "rows":
                _check_names(statement.selected)
                for name in statement.selected:
                    _check_name(name)
                if self._document.returns == "column" and len(statement.selected) != 1:
                    raise SqlError("'returns: column' is for one value a row", "say 'returns: rows' for several")
            case _:
                if statement.selected != ("*",):
                    self._check_whole(statement.selected)

    def _check_whole(self, names: tuple[str, ...]) -> None:
        """A row of the entity has all of its columns and no other."""
        _check_names(names)
        columns = {field.column for field in self._entity.fields.values()}
        lacking, other = sorted(columns - set(names)), sorted(set(names) - columns)
        if lacking or other:
            what = f"lacks {', '.join(lacking)}" if lacking else f"has {', '.join(other)} besides"
            hint = (
                f"select {self._entity.table_name}.*, or say 'returns: rows', or 'returns: count' of a number of rows"
            )
            raise SqlError(f"what is selected is no {self._entity.entity_type}: it {what}", hint)

    def _check_write(self, statement: SqlStatement) -> None:
        entity, verb = self._entity, statement.verb.upper()
        table, _ = statement.target
        if table != entity.table_name:
            raise SqlError(
                f"the {verb} is of {table!r}, and a query of {entity.entity_type} writes {entity.table_name!r}",
                "correct the table, or make it a query of the entity whose table it is",
            )
        if not self._returns_entities and self._document.returns != "exec":
            raise SqlError(f"'returns: {self._document.returns}' is for what reads", "say exec, many or one")
        if statement.verb != "insert" and not statement.has_where and not self._document.all_rows:
            raise SqlError(f"the {verb} has no WHERE", "add one, or 'all_rows: true' if every row is meant")
        if statement.verb == "insert":
            check_insert(statement, entity)
        if statement.verb == "update":
            check_update(statement, entity)
        if statement.verb == "delete" and (entity.soft_delete or entity.guards):
            rule = (
                "'soft_delete', which a DELETE in SQL knows nothing of"
                if entity.soft_delete
                else "guards, which a DELETE in SQL does not ask"
            )
            raise SqlError(f"{entity.entity_type} has {rule}", "write a query with 'delete: true' and 'where'")

    def _compare(self, one: SqlStatement, other: SqlStatement) -> None:
        """Both databases must do the same."""
        if one.verb != other.verb:
            self.wrong(f"one text is a {one.verb.upper()}, the other a {other.verb.upper()}", "sql")
        elif one.verb == "select" and self._document.returns != "count" and set(one.selected) != set(other.selected):
            names = sorted(set(one.selected) ^ set(other.selected))
            self.wrong(f"only one of the texts selects {', '.join(names)}", "sql")
        elif one.verb == "update" and set(one.assigned) != set(other.assigned):
            names = sorted(set(one.assigned) ^ set(other.assigned))
            self.wrong(f"only one of the texts sets {', '.join(names)}", "sql")

    def params(self, statements: Statements) -> dict[str, ParamSpec]:
        """The parameters of the statements."""
        used = dict.fromkeys(name for statement in statements.values() for name in statement.params)
        for key in ("params", "columns"):
            for name, declaration in getattr(self._document, key).items():
                if declaration.encrypted:
                    hint = (
                        "leave it out: what a column holds encrypted is decrypted, and nothing can be compared with it"
                    )
                    self.wrong("'encrypted' is for fields", key, name, "encrypted", hint=hint)
        return declared_params(self._document, list(used), self._at, self._problems)

    def outputs(self, statement: SqlStatement, analysis: SqlAnalysis) -> Iterator[Output]:
        """What rows that are no entity's are made of, in the order of the text."""
        declared = {
            name: resolve_field(name, field, (), self._problems, (*self._at, "columns"))
            for name, field in self._document.columns.items()
        }
        names = statement.selected if self._document.returns in {"rows", "column"} else ()
        for name in declared.keys() - set(names):
            hint = (
                nearest(name, names) or "'columns' says the types of what 'returns: rows' or 'returns: column' selects"
            )
            self.wrong(f"the text selects no {name!r}", "columns", name, hint=hint)
        origins = {output.name: output for output in analysis.origins}
        for name in names:
            origin, field = origins.get(name), declared.get(name)
            if field is None and origin is not None:
                yield origin
            elif field is None:
                hint = f"say it in 'columns: {{{name}: {{type: ...}}}}'"
                self.wrong(f"the type of {name!r} is not that of a column", "sql", "sqlite", hint=hint)
            elif origin is not None and not _is_stored_alike(field.type, origin.value.type):
                message = f"{name!r} comes from a column of type {origin.value.type!r}, which is stored in another way"
                self.wrong(message, "columns", name, "type", hint="CAST it in the text, or leave the type out")
            else:
                yield Output(name, field, nullable=field.nullable)


def _check_names(names: tuple[str, ...]) -> None:
    for place, name in enumerate(names, 1):
        if name == "*":
            raise SqlError("* is not possible here, because no schema tells the order of columns", "name the columns")
        if not name:
            raise SqlError(f"value {place} that is selected has no name", "write `AS name` behind it")
        if name in names[: place - 1]:
            raise SqlError(f"two of the values that are selected are called {name!r}", "write `AS name` behind one")


def _check_name(name: str) -> None:
    try:
        check_field_name(name)
    except ValueError as error:
        raise SqlError(str(error), "write `AS name` behind the value") from None
    if hasattr(tuple, name):
        raise SqlError(f"{name!r} is a method of every row", "write `AS` and another name behind the value")


def _is_stored_alike(one: str, other: str) -> bool:
    return one == other or {one, other} <= _TEXTS
