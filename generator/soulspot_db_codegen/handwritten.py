"""A schema that is written as a class in Python, as the document that its YAML would be.

This is the one place where the generator imports, and so runs, code that is not its own: the class that was named.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from soulspot_db.language.document import EntityDocument

from soulspot_db_codegen.errors import ConfigurationError

__all__ = ["class_document"]

# Who reads a file wants to know these before the fields.
_FIRST = ("entity_type", "table_name", "description", "use", "natural_key", "primary_key", "fields")


def class_document(place: str, folders: list[Path]) -> dict[str, Any]:
    """What the class at `place` says beyond the language's defaults, in the order in which a file says it.

    Args:
        place: `package.module:Class`.
        folders: where to look for it besides the places that Python looks into anyway.

    Raises:
        ConfigurationError: there is no such class, its module cannot be imported, or it is no schema.
    """
    found = _load(place, folders)
    if not isinstance(getattr(found, "fields", None), Mapping):
        raise ConfigurationError(f"{place} is not a schema: it has no `fields`")
    document: dict[str, Any] = {}
    known = EntityDocument.model_fields
    for key in [*(key for key in _FIRST if key in known), *(key for key in known if key not in _FIRST)]:
        value = _plain(getattr(found, key, None))
        if value is not None and value != _plain(known[key].get_default(call_default_factory=True)):
            document[key] = value
    document["fields"] = {name: _as_written(rules) for name, rules in document["fields"].items()}
    return document


def _load(place: str, folders: list[Path]) -> object:
    module, _, name = place.partition(":")
    if not module or not name:
        raise ConfigurationError(f"{place!r} does not name a class; write package.module:Class")
    with _importable(folders):
        try:
            found: object = import_module(module)
        except (Exception, SystemExit) as error:  # it is someone's program, and may end in any way
            raise ConfigurationError(f"cannot import {module}: {type(error).__name__}: {error}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigurationError(f"{module} has no {name!r}")
        found = getattr(found, part)
    return found


@contextmanager
def _importable(folders: list[Path]) -> Iterator[None]:
    before = sys.path.copy()
    sys.path[:0] = [str(folder) for folder in folders if folder.is_dir()]
    try:
        yield
    finally:
        sys.path[:] = before


def _plain(value: Any) -> Any:
    """Mappings and sequences as YAML has them: dicts and lists."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _as_written(rules: Any) -> Any:
    """A field's rules as a person writes them: the type first, and the items of a list by their type's name."""
    if not isinstance(rules, dict) or "type" not in rules:
        return rules
    items = rules.get("items")
    short = {"items": items["type"]} if isinstance(items, dict) and items.keys() == {"type"} else {}
    return {"type": rules["type"], **rules, **short}
