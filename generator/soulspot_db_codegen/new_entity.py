"""A new schema file: its text, and whether the project has room for it."""

from dataclasses import replace
from typing import Any

from soulspot_db.language.types import TYPES

from soulspot_db_codegen import naming
from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.documents import read_documents
from soulspot_db_codegen.errors import ConfigurationError, Diagnostic, SchemaError
from soulspot_db_codegen.handwritten import class_document
from soulspot_db_codegen.loader import Source, load
from soulspot_db_codegen.packages import schema_folders
from soulspot_db_codegen.render import render
from soulspot_db_codegen.resolver import resolve_all
from soulspot_db_codegen.writer import Change
from soulspot_db_codegen.yaml_reader import read_yaml
from soulspot_db_codegen.yaml_writer import entity_yaml

__all__ = ["plan_entity"]


def plan_entity(configuration: Configuration, module: str, name: str, place: str | None) -> list[Change]:
    """The files of a new entity: its own, and its module's where that has none.

    Args:
        configuration: the project.
        module: the entity's module.
        name: the entity's name.
        place: `package.module:Class`, the hand-written schema to write down, or None for an example.

    Raises:
        ConfigurationError: a name that cannot be used, or a class that cannot be read.
        SchemaError: the file is there, the class contradicts the language, or a name is taken.
    """
    if not configuration.schemas:
        raise ConfigurationError("[tool.soulspot-db] has no `schemas` folder to write to")
    schemas = schema_folders(configuration)[0].prefix
    path = f"{schemas}{module}/{name}.yaml"
    if module in naming.TAKEN_MODULES:
        raise ConfigurationError(f"a module cannot be named {module!r}: generated code needs the name")
    for kind, text in (("a module", module), ("an entity", name)):
        if not naming.is_name(text):
            raise ConfigurationError(f"{kind} cannot be named {text!r}: it {naming.why_no_name(text)}")
    if (configuration.root / path).exists():
        raise SchemaError([Diagnostic(path, 1, 1, "is already there", "edit it, or choose another name")])
    text = _from_class(configuration, module, name, place) if place else _example(configuration, name)
    _refuse_problems(configuration, Source(path, module, name, read_yaml(text), schemas), place)
    changes = [Change(path, None, text)]
    module_file = f"{schemas}{module}/_module.yaml"
    if not (configuration.root / module_file).exists():
        context = {"words": naming.words(module), "modeline": _has_schema(configuration, "module")}
        changes.append(Change(module_file, None, render("init/_module.yaml", **context)))
    return sorted(changes, key=lambda change: change.path)


def _example(configuration: Configuration, name: str) -> str:
    return render(
        "init/entity.yaml",
        words=naming.words(name),
        types=", ".join(TYPES),
        modeline=_has_schema(configuration, "entity"),
    )


def _from_class(configuration: Configuration, module: str, name: str, place: str) -> str:
    root = configuration.root
    document = class_document(place, [root, root / "src", (root / configuration.output).parent])
    # What the file's place says need not be said again.
    implied = {"entity_type": name, "table_name": f"{_table_prefix(configuration, module)}_{naming.plural(name)}"}
    said = {key: value for key, value in document.items() if implied.get(key) != value}
    try:
        text = entity_yaml(said)
    except ValueError as error:
        raise SchemaError([Diagnostic(place, 1, 1, str(error))]) from error
    modeline = "# yaml-language-server: $schema=../entity.schema.json\n"
    return modeline + text if _has_schema(configuration, "entity") else text


def _table_prefix(configuration: Configuration, module: str) -> str:
    documents, _ = read_documents([source for source in load(configuration)[0] if source.module == module])
    found = documents.modules.get(module)
    return (found and found.table_prefix) or module


def _has_schema(configuration: Configuration, kind: str) -> bool:
    return (configuration.root / configuration.schemas[0] / f"{kind}.schema.json").is_file()


def _refuse_problems(configuration: Configuration, new: Source, place: str | None) -> None:
    """Stop where the project has problems with the new file that it has not without it."""
    sources, _ = load(configuration)
    before = _problems(sources)
    # What it refers to may be written later: `generate` will ask for it.
    alone = replace(new, tree=replace(new.tree, data=_without_references(new.tree.data)))
    found = [item for item in _problems([*sources, alone]) if item not in before]
    if found and place:
        found = [_at_class(item, new, place) for item in found]
    if found:
        raise SchemaError(found)


def _problems(sources: list[Source]) -> list[Diagnostic]:
    documents, problems = read_documents(sources)
    return problems + resolve_all(documents)[1]


def _without_references(data: Any) -> Any:
    fields = data.get("fields")
    if not isinstance(fields, dict):
        return data
    leave = {"references", "on_delete"}
    return data | {
        "fields": {
            name: {key: value for key, value in rules.items() if key not in leave} if isinstance(rules, dict) else rules
            for name, rules in fields.items()
        }
    }


def _at_class(item: Diagnostic, new: Source, place: str) -> Diagnostic:
    """The problem as one of the class: its line in a file that is not written helps nobody, what stands there does."""
    if item.file != new.file:
        return item
    marks = [*new.tree.keys.items(), *new.tree.values.items()]
    names = [path[:2] for path, mark in marks if mark == (item.line, item.column) and len(path) > 1]
    message = f"{'.'.join(map(str, names[0]))}: {item.message}" if names else item.message
    return Diagnostic(place, 1, 1, message, item.hint)
