"""Sources to documents: each file alone, checked against the language."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from soulspot_db.language.document import (
    LATER_KEYS,
    CacheDocument,
    EntityDocument,
    FieldDocument,
    IndexDocument,
    ModuleDocument,
)
from soulspot_db.language.nearest import nearest

from soulspot_db_codegen import naming
from soulspot_db_codegen.errors import Diagnostic
from soulspot_db_codegen.loader import Source

__all__ = ["Documents", "Located", "read_documents"]

Document = TypeVar("Document", bound=BaseModel)
# Pydantic's own words speak of its models; these speak of YAML.
_MESSAGES: Mapping[str, tuple[str, str | None]] = {
    "bool_type": ("expected true or false", None),
    "dict_type": ("expected a mapping", None),
    "int_type": ("expected a whole number", None),
    "list_type": ("expected a list", "write [...]"),
    "model_type": ("expected a mapping", "write {...}"),
    "string_type": ("expected text", "put it in quotes if text is meant"),
    "too_short": ("at least one is needed", None),
}


@dataclass(frozen=True, slots=True)
class Located:
    """An entity's document and the file it stands in."""

    source: Source
    document: EntityDocument


@dataclass(frozen=True, slots=True)
class Documents:
    """All documents of a project: modules by name, entities in the order of their files."""

    modules: Mapping[str, ModuleDocument]
    entities: tuple[Located, ...]


def read_documents(sources: list[Source]) -> tuple[Documents, list[Diagnostic]]:
    """Check every file by itself.

    Returns:
        The documents that are right, and what is wrong with the others.
    """
    problems: list[Diagnostic] = []
    modules: dict[str, ModuleDocument] = {}
    entities: list[Located] = []
    for module in sorted({source.module for source in sources}):
        own = [source for source in sources if source.module == module]
        modules[module] = ModuleDocument.model_validate({})
        described = [source for source in own if source.name == "_module"]
        for source in described[:1]:
            modules[module] = _validate(ModuleDocument, source, {}, problems) or modules[module]
        for source in described[1:]:
            message = f"module {module!r} is already described by {described[0].file}"
            problems.append(source.problem((), message, "keep one of the two files"))
        prefix = modules[module].table_prefix or module
        for source in own:
            if source.name != "_module":
                defaults = {"entity_type": source.name, "table_name": f"{prefix}_{naming.plural(source.name)}"}
                document = _validate(EntityDocument, source, defaults, problems)
                if document is not None:
                    entities.append(Located(source, document))
    return Documents(modules, tuple(entities)), problems


def _validate(
    model: type[Document], source: Source, defaults: dict[str, str], problems: list[Diagnostic]
) -> Document | None:
    data = source.tree.data
    if not isinstance(data, dict):
        first = "fields" if model is EntityDocument else "description"
        problems.append(source.problem((), "a schema is a mapping", f"begin with '{first}:'"))
        return None
    try:
        return model.model_validate(defaults | data)
    except ValidationError as error:
        problems.extend(_diagnostics(error, source, model))
        return None


def _diagnostics(error: ValidationError, source: Source, model: type[BaseModel]) -> Iterator[Diagnostic]:
    for item in error.errors(include_url=False, include_input=False):
        path = _path(source.tree.data, item["loc"])
        kind, message = item["type"], item["msg"].removeprefix("Value error, ")
        if kind == "extra_forbidden":
            yield _unknown_key(source, path, model)
        elif kind == "missing":
            yield source.problem(path, f"{item['loc'][-1]!r} is missing", at_key=True)
        else:
            text = message if kind == "value_error" else message[:1].lower() + message[1:]
            text, hint = _MESSAGES.get(kind, (text, item.get("ctx", {}).get("hint")))
            yield source.problem(path, text, hint, at_key="[key]" in item["loc"])


def _path(tree: object, loc: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The part of Pydantic's location that is in the file; it also names members of unions and `[key]`."""
    path: list[str | int] = []
    place: Any = tree
    part: Any
    for part in loc:
        if (isinstance(place, dict) and part in place) or (isinstance(place, list) and isinstance(part, int)):
            path.append(part)
            place = place[part]
    return tuple(path)


def _unknown_key(source: Source, path: tuple[str | int, ...], model: type[BaseModel]) -> Diagnostic:
    key = str(path[-1])
    if key in LATER_KEYS:
        return source.problem(path, f"{key!r} is not supported by this version yet", at_key=True)
    return source.problem(path, f"unknown key {key!r}", nearest(key, _known(path, model)), at_key=True)


def _known(path: tuple[str | int, ...], model: type[BaseModel]) -> list[str]:
    if model is not EntityDocument:
        return [*model.model_fields]
    match path:
        case ("fields", _, _):
            return [*FieldDocument.model_fields]
        case ("fields", _, "items", _):
            return ["type"]
        case ("indexes", _, _):
            return [*IndexDocument.model_fields]
        case ("cache", _):
            return [*CacheDocument.model_fields]
        case _:
            return [*EntityDocument.model_fields]
