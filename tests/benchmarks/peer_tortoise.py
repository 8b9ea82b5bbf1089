"""Tortoise ORM: models that know their database, as its documentation shows."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from catalog import SCHEMAS
from data import BY_KEY, TABLE
from mapped import now
from place import Place
from tortoise import Tortoise, fields
from tortoise.exceptions import BaseORMException
from tortoise.functions import Count, Max
from tortoise.models import Model
from tortoise.transactions import in_transaction

__all__ = ["TortoiseOrm"]


class TortoiseCandidate(Model):
    """A row."""

    id = fields.UUIDField(primary_key=True)
    entity_type = fields.CharField(20)
    entity_id = fields.UUIDField()
    spotify_uri = fields.CharField(255, db_index=True)
    spotify_name = fields.CharField(255)
    spotify_image_url = fields.CharField(512, null=True)
    confidence_score = fields.FloatField(db_index=True)
    is_selected = fields.BooleanField(default=False)
    is_rejected = fields.BooleanField(default=False)
    extra_info = fields.JSONField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = TABLE


FIELDS: Mapping[str, Callable[[bool], Any]] = {
    "boolean": lambda null: fields.BooleanField(null=null),
    "datetime": lambda null: fields.DatetimeField(null=null),
    "enum": lambda null: fields.CharField(20, null=null),
    "integer": lambda null: fields.BigIntField(null=null),
    "list": lambda null: fields.JSONField(null=null),
    "string": lambda null: fields.CharField(512, null=null),
    "uuid": lambda null: fields.UUIDField(null=null),
}


def catalog_model(kind: str, **relations: str) -> type[Model]:
    """A table of the catalog; `relations` are the columns of its foreign keys, by what they lead to."""
    schema = SCHEMAS[kind]
    made: dict[str, Any] = {"__module__": __name__, "Meta": type("Meta", (), {"table": schema.table_name})}
    for name, field in schema.fields.items():
        if field.get("primary_key"):
            made[name] = fields.UUIDField(primary_key=True)
        elif name not in relations.values():
            made[name] = FIELDS[field["type"]](bool(field.get("nullable")))
    for name, column in relations.items():
        target = f"models.Catalog{name.rpartition('_')[2].title()}"
        made[name] = fields.ForeignKeyField(target, source_field=column, null=True, related_name=False)
    return type(f"Catalog{kind.title()}", (Model,), made)


CatalogArtist, CatalogAlbum = catalog_model("artist"), catalog_model("album")
CatalogTrack = catalog_model("track", main_artist="artist_id", album="album_id")


class TortoiseOrm:
    """Active records."""

    name = "Tortoise ORM"
    errors = (BaseORMException,)

    def __init__(self, place: Place) -> None:
        # Statements are kept by the name of the connection, those of one database for the other, too.
        self._connection = place.kind
        self._is_sqlite = place.kind == "sqlite"
        if self._is_sqlite:
            self._url = place.url.replace("sqlite+aiosqlite:///", "sqlite://")
            self._url += "?journal_mode=WAL&synchronous=FULL&busy_timeout=30000"
        else:
            self._url = place.url.replace("postgresql+asyncpg", "asyncpg")

    async def open(self) -> None:
        apps = {"models": {"models": [__name__], "default_connection": self._connection}}
        config = {"connections": {self._connection: self._url}, "apps": apps}
        await Tortoise.init(config=config, use_tz=not self._is_sqlite)

    async def close(self) -> None:
        await Tortoise.close_connections()

    def _now(self) -> datetime:
        """The time as this database has it: on SQLite without a zone, as SoulSpot stores it."""
        return now().replace(tzinfo=None) if self._is_sqlite else now()

    async def get(self, key: UUID) -> Any:
        return await TortoiseCandidate.get(id=key)

    async def get_many(self, keys: list[UUID]) -> Any:
        return await TortoiseCandidate.filter(id__in=keys)

    async def query(self, kind: str) -> Any:
        return await TortoiseCandidate.filter(entity_type=kind).order_by("-confidence_score").limit(100)

    async def count(self, kind: str) -> int:
        return await TortoiseCandidate.filter(entity_type=kind).count()

    async def page(self, place: int) -> Any:
        return await TortoiseCandidate.filter(id__gt=BY_KEY[place - 1]).order_by("id").limit(50)

    async def include(self, _nothing: None) -> Any:
        return await CatalogTrack.all().prefetch_related("main_artist", "album")

    async def groups(self, _nothing: None) -> Any:
        grouped = TortoiseCandidate.annotate(n=Count("id"), best=Max("confidence_score")).group_by("entity_type")
        return await grouped.values("entity_type", "n", "best")

    async def upsert(self, row: dict[str, Any]) -> None:
        values = dict(row)
        await TortoiseCandidate.update_or_create(values, id=values.pop("id"))

    async def save(self, row: dict[str, Any]) -> None:
        await TortoiseCandidate.create(**row)

    async def update(self, change: tuple[UUID, float]) -> None:
        key, score = change
        found = await TortoiseCandidate.get(id=key)
        found.confidence_score, found.updated_at = score, self._now()
        await found.save(update_fields=["confidence_score", "updated_at"])

    async def transaction(self, row: dict[str, Any]) -> None:
        async with in_transaction():
            saved = await TortoiseCandidate.create(**row)
            saved.confidence_score, saved.updated_at = 0.5, self._now()
            await saved.save(update_fields=["confidence_score", "updated_at"])
            found = await TortoiseCandidate.get(id=saved.id)
            found.is_selected, found.updated_at = True, self._now()
            await found.save(update_fields=["is_selected", "updated_at"])
            await found.delete()

    async def save_many(self, rows: list[dict[str, Any]]) -> None:
        async with in_transaction():
            await TortoiseCandidate.bulk_create([TortoiseCandidate(**row) for row in rows])
