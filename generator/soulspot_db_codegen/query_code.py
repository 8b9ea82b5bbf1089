"""Named queries to the methods that run them."""

from collections.abc import Mapping

from soulspot_db.language.field import FieldSpec, Missing
from soulspot_db.language.outputs import Output
from soulspot_db.language.params import ParamSpec
from soulspot_db.language.queries import QuerySpec
from soulspot_db.language.spec import EntitySpec

from soulspot_db_codegen import ir, naming
from soulspot_db_codegen.field_code import scalar_code
from soulspot_db_codegen.layout import Brackets, call, literal, one_line, prefixed, subscript

__all__ = ["needs_unset", "query_code", "row_class"]


# The runtime's method, and what it returns, for each kind of query that returns many, and one.
_METHODS: Mapping[tuple[str, bool], tuple[str, str]] = {
    ("list", False): ("_named_list", "list[{entity}]"),
    ("list", True): ("_named_one", "{entity} | None"),
    ("page", False): ("_named_page", "Page[{entity}]"),
    ("column", False): ("_named_column", "list[{value}]"),
    ("column", True): ("_named_value", "{found} | None"),
    ("rows", False): ("_named_rows", "list[{row}]"),
    ("rows", True): ("_named_row", "{row} | None"),
    ("total", False): ("_named_total", "{row}"),
    ("total", True): ("_named_total", "{row}"),
    ("claim", False): ("_named_claim", "list[{entity}]"),
    ("claim", True): ("_named_claim_one", "{entity} | None"),
    ("count", False): ("_named_count", "int"),
    ("exists", False): ("_named_exists", "bool"),
    ("update", False): ("_named_write", "int"),
    ("delete", False): ("_named_write", "int"),
    ("upsert", False): ("_named_upsert", "{entity}"),
}
# The same for those written in SQL, of which some write and return the rows.
_SQL_METHODS: Mapping[tuple[str, bool], tuple[str, str]] = {
    ("list", False): ("_sql_list", "list[{entity}]"),
    ("list", True): ("_sql_one", "{entity} | None"),
    ("column", False): ("_sql_column", "list[{value}]"),
    ("rows", False): ("_sql_rows", "list[{row}]"),
    ("count", False): ("_sql_count", "int"),
    ("exec", False): ("_sql_write", "int"),
}


def row_class(entity_type: str, query: str) -> str:
    """The class of the rows that a query selects."""
    return naming.pascal(entity_type) + naming.pascal(query)


def query_code(query: QuerySpec, spec: EntitySpec, stored: Mapping[str, str], keys: Mapping[int, str]) -> ir.Query:
    """The method of one query.

    Args:
        query: the query.
        spec: its entity.
        stored: the type of each field's value in a row.
        keys: the types of the keys of all entities, by the identity of their fields.
    """
    types = _Types(spec, stored, keys)
    row = row_class(spec.entity_type, query.name) if query.verb == "rows" else None
    methods = _METHODS if query.sql is None else _SQL_METHODS
    method, returns = methods["total" if query.is_total else query.verb, query.single]
    value = types.of_output(query.outputs[0]) if query.verb == "column" else ""
    names = {
        "entity": naming.pascal(spec.entity_type),
        "row": row,
        "value": value,
        "found": value.removesuffix(" | None"),
    }
    passed = tuple(f"{one_line(literal(name))}: {name}" for name in query.params)
    arguments = [literal(query.name), "new" if query.verb == "upsert" else Brackets("{", passed, "}")]
    arguments += [row] if row else []
    options = {} if query.writes else {"fresh": "fresh"}
    pages = ["after: str | None = None", "before: str | None = None"] if query.verb == "page" else []
    options |= {"after": "after", "before": "before"} if pages else {}
    parameters = [_parameter(name, param, types) for name, param in query.params.items()]
    parameters += [*pages, *(["fresh: bool = False"] if options else [])]
    if query.verb == "upsert":
        taken: tuple[str, ...] = (f"new: {naming.pascal(spec.entity_type)}Create",)
    else:
        taken = ("*", *parameters) if parameters else ()
    return ir.Query(
        method=query.name,
        description=naming.prose(query.description) or f"The query {query.name} of the schema.",
        parameters=taken,
        returns=returns.format(**names),
        call=prefixed(call(f"self.{method}", *arguments, **options), "return await "),
        row=row,
        row_fields=tuple((output.name, types.of_output(output)) for output in query.outputs) if row else (),
        hidden=tuple(output.name for output in query.outputs if output.value.sensitive) if row else (),
    )


def needs_unset(spec: EntitySpec) -> bool:
    """Whether a parameter has a default that only the runtime can make."""
    return any(_default(param) == "UNSET" for query in spec.queries.values() for param in query.params.values())


class _Types:
    """The types of values, as the file of an entity spells them."""

    def __init__(self, spec: EntitySpec, stored: Mapping[str, str], keys: Mapping[int, str]) -> None:
        self._spec = spec
        self._stored = stored
        self._keys = keys

    def of(self, field: FieldSpec) -> str:
        """The type of a value that is not null: that of a field of the entity, or of a key, where it is one."""
        if self._spec.fields.get(field.name) is field:
            return self._stored[field.name].removesuffix(" | None")
        if id(field) in self._keys:
            return self._keys[id(field)]
        if field.type == "enum":
            return one_line(subscript("Literal", *map(literal, field.values)))
        if field.type == "list":
            return f"tuple[{scalar_code(field.item)}, ...]"
        return scalar_code(field)

    def of_output(self, output: Output) -> str:
        """The type of what is selected."""
        return self.of(output.value) + (" | None" if output.nullable else "")


def _parameter(name: str, param: ParamSpec, types: _Types) -> str:
    kind = types.of(param.field)
    # A JSON value is checked where it is given.
    kind = "JsonInput" if param.field.type == "json" else kind
    kind = f"Sequence[{scalar_code(param.field.item)}]" if param.field.type == "list" else kind
    kind = f"Sequence[{kind}]" if param.many else kind
    default = _default(param)
    kind += " | None" if param.nullable or param.skips_none else ""
    return f"{name}: {kind}" + (f" = {default}" if default else "")


def _default(param: ParamSpec) -> str | None:
    """The code of a default; what cannot be written down is UNSET, and the runtime makes it."""
    if param.required:
        return None
    if param.skips_none:
        return "None"
    plain = (str, int, float, bool, type(None))
    is_plain = isinstance(param.default, plain) and param.field.type in {
        "string",
        "text",
        "integer",
        "float",
        "boolean",
        "enum",
    }
    return one_line(literal(param.default)) if is_plain and param.default is not Missing and not param.many else "UNSET"
