"""A predicate as SQL text with its values written out: what CHECK constraints and partial indexes are made of."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from soulspot_db.language.field import FieldSpec
from soulspot_db.language.patterns import ESCAPE, TEXT_OPERATORS, pattern, symbol
from soulspot_db.language.predicates import Compare, Predicate, Related
from soulspot_db.language.types import TYPES

__all__ = ["DIALECTS", "Conditions", "Dialect", "condition_sql", "literal_sql", "quoted", "sql_text"]

Dialect: TypeAlias = Literal["sqlite", "postgresql"]
DIALECTS: tuple[Dialect, ...] = ("sqlite", "postgresql")

_SYMBOLS = {"eq": "=", "ne": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "in": "IN", "not_in": "NOT IN"}
_NULL_SAFE: Mapping[Dialect, Mapping[str, str]] = {
    "sqlite": {"is": "IS", "is_not": "IS NOT"},
    "postgresql": {"is": "IS NOT DISTINCT FROM", "is_not": "IS DISTINCT FROM"},
}


def quoted(column: str) -> str:
    """A column's name in SQL; quoted always, because which words are reserved differs between databases."""
    return f'"{column}"'


def sql_text(value: str) -> str:
    """`value` as an SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def condition_sql(predicate: Predicate, fields: Mapping[str, FieldSpec], dialect: Dialect) -> str:
    """The condition for one database, which stores some types in its own way."""
    return Conditions(fields, dialect).sql(predicate)


class Conditions:
    """Writes conditions about the rows of one table; who writes whole statements says more of columns, values and relations.

    Args:
        fields: the entity's fields by name.
        dialect: the database.
    """

    def __init__(self, fields: Mapping[str, FieldSpec], dialect: Dialect) -> None:
        self.fields = fields
        self._dialect: Dialect = dialect

    def sql(self, predicate: Predicate) -> str:
        """The condition."""
        if isinstance(predicate, Compare):
            return self.comparison(predicate)
        if isinstance(predicate, Related):
            return self.related(predicate)
        parts = [self.sql(part) for part in predicate.parts]
        if predicate.operator == "not":
            return f"NOT ({parts[0]})"
        if not parts:
            return "1 = 1" if predicate.operator == "and" else "1 = 0"
        return f" {predicate.operator.upper()} ".join(f"({part})" if len(parts) > 1 else part for part in parts)

    def column(self, field: FieldSpec) -> str:
        """A field's column."""
        return quoted(field.column)

    def value(self, value: Any, field: FieldSpec) -> str:
        """A value that a field is compared with."""
        return literal_sql(value, field, self._dialect)

    def text(self, operator: str, value: Any) -> str:
        """What text is like."""
        return sql_text(pattern(operator, value, self._dialect))

    def related(self, related: Related) -> str:
        """A condition on related rows."""
        raise TypeError(f"a condition of a table is about its rows alone, not about {related.relation.name}")

    def comparison(self, compare: Compare) -> str:
        """One comparison."""
        field = self.fields[compare.field]
        column = self.column(field)
        if compare.operator in {"is_null", "not_null"}:
            return f"{column} IS {'NOT ' if compare.operator == 'not_null' else ''}NULL"
        if compare.operator in TEXT_OPERATORS:
            return self._match(column, compare)
        symbol = _SYMBOLS.get(compare.operator) or _NULL_SAFE[self._dialect][compare.operator]
        if compare.other is not None:
            return f"{column} {symbol} {self.column(self.fields[compare.other])}"
        values = [self.value(value, field) for value in compare.values]
        if compare.operator in {"in", "not_in"}:
            # An empty list holds for no row, and its opposite for every row, also where the column is null.
            return f"{column} {symbol} ({', '.join(values)})" if values else ("1 = 0" if symbol == "IN" else "1 = 1")
        return f"{column} {symbol} {values[0]}"

    def _match(self, column: str, compare: Compare) -> str:
        right = self.text(compare.operator, compare.values[0])
        if compare.operator == "ieq":
            return f"lower({column}) = {right}"
        if compare.operator == "trimmed_ieq":
            return f"lower(trim({column})) = {right}"
        name = symbol(compare.operator, self._dialect)
        return f"{column} {name} {right}" + (f" ESCAPE {sql_text(ESCAPE)}" if name == "LIKE" else "")


def literal_sql(value: Any, field: FieldSpec, dialect: Dialect) -> str:
    """A value of a field as one database stores it, as an SQL literal."""
    if dialect == "sqlite" or field.type in {"json", "list"}:  # which are JSON text on both
        encode = TYPES[field.type].sqlite.encode
        value = encode(field)(value) if encode is not None else value
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float() | Decimal():
            return str(value)
        case bytes():
            return f"X'{value.hex()}'" if dialect == "sqlite" else f"'\\x{value.hex()}'"
        case _:
            return sql_text(str(value))
