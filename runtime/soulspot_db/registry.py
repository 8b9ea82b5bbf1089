"""The entity types of this process: which names exist, and the schema behind each."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from soulspot_db.entity import EntitySchema
from soulspot_db.errors import SchemaInvalidError, UnknownEntityError
from soulspot_db.language.nearest import nearest
from soulspot_db.schema import resolved

__all__ = ["EntityRegistry"]


@dataclass
class _Entries:
    schemas: dict[str, type[EntitySchema] | str] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)


class EntityRegistry:
    """One per process, holding schemas only; what belongs to an engine hangs on a `Database`."""

    _entries: ClassVar[_Entries] = _Entries()

    @classmethod
    def register(cls, entity_type: str, schema: type[EntitySchema] | EntitySchema) -> None:
        """Make `entity_type` known.

        Args:
            entity_type: the name that the facade takes.
            schema: a schema class, or an instance of one.

        Raises:
            SchemaInvalidError: the schema contradicts itself, or the name is taken by another.
        """
        schema_class = _class_of(entity_type, schema)
        spec = resolved(schema_class).spec
        if spec.entity_type != entity_type:
            raise SchemaInvalidError(
                f"the schema of {spec.entity_type!r} cannot be registered as {entity_type!r}",
                f"Register it as {spec.entity_type!r}, or change its entity_type.",
                entity_type=entity_type,
                operation="register",
            )
        cls._add(entity_type, schema_class)

    @classmethod
    def register_lazy(cls, entity_type: str, path: str) -> None:
        """Make `entity_type` known by the place of its schema, `package.module:Class`, loaded on first use.

        Generated packages register so; doing it again with the same place changes nothing.
        """
        found = cls._entries.schemas.get(entity_type)
        if found != path and (found is None or isinstance(found, str) or _place(found) != path):
            cls._add(entity_type, path)

    @classmethod
    def register_migrations(cls, package: str, head: str) -> None:
        """Say which revision the tables of a generated package need; `Database` checks it when it opens.

        Raises:
            SchemaInvalidError: another package has; a database has one history, and cannot be at the head of two.
        """
        for other in cls._entries.heads:
            if other != package:
                raise SchemaInvalidError(
                    f"{package} cannot be used beside {other}: both bring migrations, and a database has one history",
                    "Generate one package from the schemas of both, by naming their folders in `schemas` in pyproject.toml.",
                    "In a test, import it inside `with EntityRegistry.isolated():`.",
                    package=package,
                    operation="register_migrations",
                )
        cls._entries.heads[package] = head

    @classmethod
    def _add(cls, entity_type: str, schema: type[EntitySchema] | str) -> None:
        if entity_type in cls._entries.schemas:
            raise SchemaInvalidError(
                f"entity type {entity_type!r} is already registered",
                "Give one of the two another entity_type.",
                "In a test, register inside `with EntityRegistry.isolated():`.",
                entity_type=entity_type,
                operation="register",
            )
        cls._entries.schemas[entity_type] = schema

    @classmethod
    def get_schema(cls, entity_type: str) -> type[EntitySchema]:
        """The schema class of `entity_type`.

        Raises:
            UnknownEntityError: nothing of this name is registered; it is a ValueError too.
        """
        name: object = entity_type  # checked, because the facade passes on what it is given
        found = cls._entries.schemas.get(name) if isinstance(name, str) else None
        if found is None:
            known = cls.list_entity_types()
            hint = nearest(str(entity_type), known)
            raise UnknownEntityError(
                f"unknown entity type {entity_type!r}" + (f"; {hint}" if hint else ""),
                f"Use one of the registered types: {', '.join(known) or 'none are registered'}.",
                "Import the generated package before the first call; commands take it as `--package`.",
                entity_type=str(entity_type),
            )
        if isinstance(found, str):
            module, _, name = found.partition(":")
            found = cls._entries.schemas[entity_type] = getattr(importlib.import_module(module), name)
        return found

    @classmethod
    def list_entity_types(cls) -> list[str]:
        """Every registered name, sorted."""
        return sorted(cls._entries.schemas)

    @classmethod
    def migration_heads(cls) -> dict[str, str]:
        """The revision that each imported generated package needs."""
        return dict(cls._entries.heads)

    @classmethod
    def loaded_schemas(cls) -> list[type[EntitySchema]]:
        """The schemas whose modules are loaded: all that are written by hand, and generated ones in use."""
        return [schema for schema in cls._entries.schemas.values() if not isinstance(schema, str)]

    @classmethod
    @contextmanager
    def isolated(cls) -> Iterator[type["EntityRegistry"]]:
        """A registry of its own for a test: starts empty, and is forgotten at the end."""
        before = cls._entries
        cls._entries = _Entries()
        try:
            yield cls
        finally:
            cls._entries = before


def _class_of(entity_type: str, schema: object) -> type[EntitySchema]:
    if isinstance(schema, EntitySchema):
        # An instance may say some things for itself.
        given = vars(schema)
        return type(type(schema).__name__, (type(schema),), dict(given)) if given else type(schema)
    if isinstance(schema, type) and issubclass(schema, EntitySchema):
        return schema
    raise SchemaInvalidError(
        f"the schema of {entity_type!r} is not an EntitySchema",
        "Register a subclass of soulspot_db.EntitySchema, or an instance of one.",
        entity_type=entity_type,
        operation="register",
    )


def _place(schema: type[EntitySchema]) -> str:
    return f"{schema.__module__}:{schema.__qualname__}"
