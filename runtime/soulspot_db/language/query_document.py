"""What a document may say of one named query."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from soulspot_db.language.field_document import FieldDocument
from soulspot_db.language.names import MemberName
from soulspot_db.language.strict import Document, Filter
from soulspot_db.language.upserts import UpsertDocument

__all__ = ["QueryDocument", "SqlDocument"]


def _reason(text: str) -> str:
    if not text.strip():
        raise ValueError("a reason has words")
    return text


Values = Annotated[dict[str, Any], Field(min_length=1)]


class SqlDocument(Document):
    """The SQL of a query where the databases need a text each."""

    sqlite: str = Field(description="As SQLite reads it.")
    postgresql: str = Field(description="The same as PostgreSQL reads it: it must find or do the same.")


Sql = Annotated[
    Annotated[SqlDocument, Tag("each")] | Annotated[str, Tag("both")],
    Discriminator(lambda value: "each" if isinstance(value, (dict, SqlDocument)) else "both"),
]


class QueryDocument(Document):
    """A named query: what it finds, and what is returned or done. Without more it returns the rows that `where` finds."""

    description: str | None = Field(None, description="What it is for; the method's docstring.")
    where: Filter | None = Field(
        None, description="A filter, in which `{param: name}` is what the caller gives, `{now: -10m}` a moment."
    )
    order_by: str | list[str] | None = Field(None, description="As `query` takes it.")
    limit: int | dict[str, Any] | None = Field(None, description="How many rows at most: a number or a parameter.")
    returns: Literal["many", "one", "page", "count", "exists", "column", "rows", "exec"] | None = Field(
        None,
        description="A list of rows, the first row or none, a page, how many there are, or whether there is one. Of `sql` also "
        "a list of values, a list of rows of their own, or how many rows were written.",
    )
    select: str | Values | None = Field(
        None,
        description="A field, of which the values are returned, or names with fields, `{count: '*'}`, `{count: {distinct: field}}`, `{sum: field}`, "
        "`{min: field}`, `{max: field}` or `{avg: field}`; a count may have a `where` of its own.",
    )
    distinct: bool = Field(False, description="With `select`: each combination of values once.")
    group_by: list[str] = Field([], description="With `select`: the fields whose values make a group.")
    update: Values | None = Field(None, description="Fields with values, parameters or moments: changes the rows.")
    increment: Values | None = Field(
        None,
        description="Numeric fields with what is added to each, by the database itself, so that no change is lost.",
    )
    delete: bool = Field(False, description="Deletes the rows.")
    claim: Values | None = Field(
        None,
        description="As `update`, for the first `limit` rows in the order, which are returned: of many workers that ask at "
        "once, each gets others.",
    )
    upsert: UpsertDocument | None = Field(
        None, description="Inserts a row, or changes the one that is there; the method takes a new row and returns it."
    )
    sql: Sql | None = Field(
        None, description="One statement in SQL, for what filters cannot say, with `:name` for parameters."
    )
    columns: dict[MemberName, FieldDocument] = Field(
        {}, description="With `sql`: types of selected values that are not just a column's."
    )
    params: dict[MemberName, FieldDocument] = Field(
        {},
        description="Types of parameters that are not to have those of the fields they are compared with; those of `sql`, all.",
    )
    all_rows: bool = Field(False, description="Allows an update or a delete without a condition.")
    full_scan: Annotated[str, AfterValidator(_reason)] | None = Field(
        None, description="Why it may read all rows of a large table; spares it the warning of `generate`."
    )
