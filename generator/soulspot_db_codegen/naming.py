"""Names of generated things: classes, plurals, and the words that are taken."""

import keyword
import re

import inflection

__all__ = [
    "TAKEN_CLASSES",
    "TAKEN_METHODS",
    "TAKEN_MODULES",
    "TAKEN_RELATIONS",
    "entity_classes",
    "enum_class",
    "export_order",
    "import_order",
    "is_name",
    "ordered_methods",
    "parameter",
    "pascal",
    "plural",
    "prose",
    "why_no_name",
    "words",
]

# What the generated modules import under a capitalised name; an entity's class may not hide it.
TAKEN_CLASSES = frozenset(
    {
        "Annotated",
        "Any",
        "AsyncIterable",
        "AsyncIterator",
        "Callable",
        "ClassVar",
        "Decimal",
        "Included",
        "Iterable",
        "Literal",
        "NamedTuple",
        "NewType",
        "Page",
        "Relative",
        "Sequence",
        "TypeAlias",
        "TypedDict",
    }
    | {"DatabaseService", "Entity", "EntityCreate", "EntityRegistry", "EntitySchema", "EntityUpdate", "Event"}
    | {"Field", "FieldDocuments", "FieldFilter", "IndexDocuments", "ListFilter", "Repositories", "Repository"}
    | {
        "CheckDocuments",
        "DatetimeFilter",
        "Json",
        "JsonFilter",
        "NullFilter",
        "JsonInput",
        "QueryDocuments",
        "RelatedFilter",
        "RelationDocuments",
        "SqlAnalyses",
        "TextFilter",
        "VirtualFilter",
    }
    | {"False", "METADATA", "None", "TYPE_CHECKING", "True", "UNSET", "UUID"}
)
# The module of the key types, and the decorator in the class that would have a property of this name.
TAKEN_MODULES = frozenset({"cached_property", "ids"})
# The methods and attributes that every repository has.
TAKEN_METHODS = frozenset(
    {"get", "get_or_raise", "get_many", "query", "count", "exists", "schema"}
    | {"save", "save_many", "save_stream", "update", "update_where", "delete", "delete_where"}
    | {"page", "stream", "upsert", "get_or_create", "include"}
    | {"with_deleted", "restore", "purge_deleted", "with_expired", "purge_expired"}
    # In the body of a class they would hide the types of the same names.
    | {"bool", "bytes", "float", "int", "list", "str", "tuple"}
)
# What a row with its related rows has beside these.
TAKEN_RELATIONS = frozenset({"row"})
# What is generated for every entity, the last two where it has relations, after its class name.
_SUFFIXES = (
    "",
    "Id",
    "Key",
    "Create",
    "Update",
    "Filter",
    "Order",
    "Created",
    "Updated",
    "Deleted",
    "Repository",
    "Schema",
    "Relation",
    "Included",
)
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def is_name(text: str) -> bool:
    """Whether `text` can name a module or an entity, and so a file that is imported."""
    return bool(_NAME.fullmatch(text)) and not keyword.iskeyword(text)


def why_no_name(text: str) -> str:
    """Why `is_name` refuses a text, as what follows it in a sentence."""
    if keyword.iskeyword(text):
        return "is a keyword of Python: choose another name"
    return "is not a name: use lower-case letters, digits and underscores"


def ordered_methods(relation: str) -> list[str]:
    """The methods of a relation whose rows have an order."""
    return [f"{verb}_{relation}" for verb in ("add_to", "remove_from", "move_in", "replace")]


def parameter(field: str) -> str:
    """The parameter that takes a field's value, where the other parameters have taken no such name."""
    return f"{field}_" if field in {"self", "fresh", "changes"} else field


def pascal(name: str) -> str:
    """`playlist_track` -> `PlaylistTrack`."""
    return "".join(part.capitalize() for part in name.split("_"))


def plural(name: str) -> str:
    """`playlist_track` -> `playlist_tracks`; only the last word changes."""
    head, _, last = name.rpartition("_")
    return "_".join(filter(None, (head, inflection.pluralize(last))))


def words(name: str) -> str:
    """`playlist_track` -> `playlist track`, as prose."""
    return name.replace("_", " ")


def prose(text: str | None) -> str | None:
    """A description, or None where it is blank."""
    return text if text and not text.isspace() else None


def import_order(name: str) -> tuple[object, ...]:
    """A sort key for the names of one import, as import sorters have it: by kind, then without case."""
    return (_kind(name), _natural(name.lower()), _natural(name))


def export_order(name: str) -> tuple[object, ...]:
    """A sort key for the names in `__all__`: by kind, then by code point."""
    return (_kind(name), _natural(name))


def _kind(name: str) -> int:
    # Constants, classes, the rest.
    return 0 if len(name) > 1 and name.isupper() else 1 if name[0].isupper() else 2


def _natural(name: str) -> tuple[tuple[int, object], ...]:
    # `Track2` comes before `Track10`.
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in re.split(r"(\d+)", name) if part)


def entity_classes(entity_type: str) -> list[str]:
    """The classes generated for every entity of this name."""
    return [pascal(entity_type) + suffix for suffix in _SUFFIXES]


def enum_class(entity_type: str, field: str) -> str:
    """The alias of an enum field's values: `DownloadStatus`; an enum called `order` must not hide `DownloadOrder`."""
    name = pascal(entity_type) + pascal(field)
    return name + "Value" if name in entity_classes(entity_type) else name
