"""The JSON Schema of the language, made from the documents themselves: what editors complete and check with.

It says what one file may hold. What takes several files, or the sense of a value, only `generate` can say.
"""

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema
from soulspot_db.language.document import EntityDocument, MixinDocument, ModuleDocument

__all__ = ["entity_schema", "mixin_schema", "module_schema", "schema_text"]

# The name of the file and its module give these where the file does not.
_DEFAULTED = {"entity_type", "table_name"}


class _Generator(GenerateJsonSchema):
    """Leaves out what says nothing: titles that repeat a key, and defaults that editors would write as `null`."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - Pydantic says the signature
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def entity_schema() -> dict[str, Any]:
    """The schema of an entity's file."""
    schema = _schema(EntityDocument, "An entity of soulspot-db")
    schema["required"] = [name for name in schema["required"] if name not in _DEFAULTED]
    return schema


def mixin_schema() -> dict[str, Any]:
    """The schema of a mixin's file, `_mixins/<name>.yaml`."""
    return _schema(MixinDocument, "A mixin of soulspot-db")


def module_schema() -> dict[str, Any]:
    """The schema of a module's own file, `_module.yaml`."""
    return _schema(ModuleDocument, "A module of soulspot-db")


def schema_text(schema: dict[str, Any]) -> str:
    """A schema as the text of a file."""
    return json.dumps(schema, indent=2) + "\n"


def _schema(document: type[BaseModel], title: str) -> dict[str, Any]:
    found = document.model_json_schema(schema_generator=_Generator)
    for part in found.get("$defs", {}).values():
        part.pop("title", None)
    return {"$schema": _Generator.schema_dialect, **found, "title": title}
