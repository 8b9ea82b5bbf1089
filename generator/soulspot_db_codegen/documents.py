"""Sources to documents: each file alone, checked against the language."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from soulspot_db.language.document import (
    CacheDocument,
    EntityDocument,
    IndexDocument,
    MixinDocument,
    ModuleDocument,
    RelationDocument,
    RemovalDocument,
)
from soulspot_db.language.field_document import FieldDocument, ItemsDocument
from soulspot_db.language.nearest import nearest
from soulspot_db.language.query_document import QueryDocument, SqlDocument
from soulspot_db.language.reasons import reason
from soulspot_db.language.upserts import UpsertDocument

from soulspot_db_codegen import naming
from soulspot_db_codegen.errors import Diagnostic
from soulspot_db_codegen.loader import MIXINS, Source
from soulspot_db_codegen.mixins import Merged, Path, merge

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
# Words of SQL that are spelt more like another key than like the one that means them.
_MEANT: Mapping[str, str] = {"set": "update"}


@dataclass(frozen=True, slots=True)
class Located:
    """An entity's document, and where its parts are written."""

    merged: Merged
    document: EntityDocument

    @property
    def source(self) -> Source:
        """The entity's own file."""
        return self.merged.source

    def problem(self, path: Path, message: str, hint: str | None = None, *, at_key: bool = False) -> Diagnostic:
        """A diagnostic at the place where the part of the entity at `path` is written."""
        return self.merged.problem(path, message, hint, at_key=at_key)


@dataclass(frozen=True, slots=True)
class Documents:
    """All documents of a project: modules by name, entities in the order of their files.

    `unread` names, as `references` does, the entities whose files have problems: whoever refers to one is not at fault.
    """

    modules: Mapping[str, ModuleDocument]
    entities: tuple[Located, ...]
    unread: frozenset[str] = frozenset()


def read_documents(sources: list[Source], unreadable: Iterable[Diagnostic] = ()) -> tuple[Documents, list[Diagnostic]]:
    """Check every file by itself.

    Args:
        sources: the files that are YAML.
        unreadable: what is wrong with those that are not.

    Returns:
        The documents that are right, and what is wrong with the others.
    """
    problems: list[Diagnostic] = []
    mixins = [source for source in sources if source.module == MIXINS]
    right = [source for source in mixins if _validate(MixinDocument, _alone(source), {}, problems) is not None]
    # An entity that uses a wrong mixin is not looked at: what it lacks is the mixin's fault.
    wrong = {(source.folder, source.name) for source in mixins} - {(source.folder, source.name) for source in right}
    files = [PurePosixPath(problem.file) for problem in unreadable]
    wrong |= {(str(file.parent).removesuffix(MIXINS), file.stem) for file in files if file.parent.name == MIXINS}
    modules: dict[str, ModuleDocument] = {}
    entities: list[Located] = []
    unread = {f"{file.parent.name}.{file.stem}" for file in files}
    for module in sorted({source.module for source in sources} - {MIXINS}):
        own = [source for source in sources if source.module == module]
        modules[module] = _module(module, [source for source in own if source.name == "_module"], problems)
        prefix = modules[module].table_prefix or module
        for source in own:
            if source.name == "_module":
                continue
            unread.add(_reference(source))
            if any((source.folder, name) in wrong for name in _uses(source)):
                continue
            usable = {mixin.name: mixin for mixin in right if mixin.folder == source.folder}
            merged, found = merge(source, usable) if isinstance(source.tree.data, dict) else (_alone(source), [])
            problems.extend(found)
            defaults = {"entity_type": source.name, "table_name": f"{prefix}_{naming.plural(source.name)}"}
            document = _validate(EntityDocument, merged, defaults, problems)
            if document is not None and not found:
                entities.append(Located(merged, document))
                unread.discard(_reference(source))
                problems.extend(_still_there(document.entity_type, modules[module], own))
    return Documents(modules, tuple(entities), frozenset(unread)), problems


def _reference(source: Source) -> str:
    """`module.entity`, as far as the file says it."""
    data = source.tree.data
    name = data.get("entity_type", source.name) if isinstance(data, dict) else source.name
    return f"{source.module}.{name}"


def _module(name: str, described: list[Source], problems: list[Diagnostic]) -> ModuleDocument:
    document = None
    for source in described[:1]:
        document = _validate(ModuleDocument, _alone(source), {}, problems)
    for source in described[1:]:
        message = f"module {name!r} is already described by {described[0].file}"
        problems.append(source.problem((), message, "keep one of the two files"))
    return document or ModuleDocument.model_validate({})


def _still_there(entity: str, module: ModuleDocument, sources: list[Source]) -> Iterator[Diagnostic]:
    described = next((source for source in sources if source.name == "_module"), None)
    if described is not None and entity in module.removed:
        hint = "remove one of the two; a tombstone that has counted may go"
        yield described.problem(("removed", entity), f"the entity {entity!r} is still there", hint)


def _uses(source: Source) -> list[str]:
    data = source.tree.data
    names = data.get("use") if isinstance(data, dict) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _alone(source: Source) -> Merged:
    return Merged(source, source.tree.data, {})


def _validate(
    model: type[Document], merged: Merged, defaults: dict[str, str], problems: list[Diagnostic]
) -> Document | None:
    if not isinstance(merged.data, dict):
        first = "description" if model is ModuleDocument else "fields"
        problems.append(merged.problem((), "a schema is a mapping", f"begin with '{first}:'"))
        return None
    try:
        return model.model_validate(defaults | merged.data)
    except ValidationError as error:
        problems.extend(_diagnostics(error, merged, model))
        return None


def _diagnostics(error: ValidationError, merged: Merged, model: type[BaseModel]) -> Iterator[Diagnostic]:
    for item in error.errors(include_url=False, include_input=False):
        path = _path(merged.data, item["loc"])
        kind, message = item["type"], reason(item)
        if kind == "extra_forbidden":
            yield _unknown_key(merged, path, model)
        elif kind == "missing":
            yield merged.problem(path, f"{item['loc'][-1]!r} is missing", at_key=True)
        else:
            text = message if kind == "value_error" else message[:1].lower() + message[1:]
            text, hint = _MESSAGES.get(kind, (text, item.get("ctx", {}).get("hint")))
            yield merged.problem(path, text, hint, at_key="[key]" in item["loc"])


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


def _unknown_key(merged: Merged, path: tuple[str | int, ...], model: type[BaseModel]) -> Diagnostic:
    key = str(path[-1])
    known = _known(path, model)
    meant = _MEANT.get(key)
    hint = f"did you mean {meant!r}?" if meant in known else nearest(key, known)
    return merged.problem(path, f"unknown key {key!r}", hint, at_key=True)


def _known(path: Path, model: type[BaseModel]) -> list[str]:
    within: type[BaseModel]
    match path:
        case ("fields", _, "items", _):
            within = ItemsDocument
        case ("fields", _, _) | ("queries", _, "params" | "columns", _, _):
            within = FieldDocument
        case ("indexes", _, _):
            within = IndexDocument
        case ("queries", _, "sql", _):
            within = SqlDocument
        case ("queries", _, "upsert", _):
            within = UpsertDocument
        case ("queries", _, _):
            within = QueryDocument
        case ("relations", _, _):
            within = RelationDocument
        case ("removed", _, _):
            within = RemovalDocument
        case ("cache", _):
            within = CacheDocument
        case _:
            within = model
    return [*within.model_fields]
