"""soulspot-db: typed repositories, transactions, cache and events over one runtime, made from entity schemas."""

from soulspot_db.database import Database
from soulspot_db.entity import UNSET, Entity, EntityCreate, EntitySchema, EntityUpdate
from soulspot_db.errors import (
    ConfigurationError,
    ConnectionFailedError,
    ConstraintViolationError,
    DatabaseError,
    LockedError,
    MigrationError,
    MigrationRequiredError,
    NotFoundError,
    PoolExhaustedError,
    QueryFailedError,
    QueryTimeoutError,
    SchemaAheadError,
    SchemaInvalidError,
    TransactionError,
    UnknownEntityError,
    UnknownFieldError,
    UnsafeWriteError,
    ValidationFailedError,
)
from soulspot_db.events.bus import Event, EventBus, Subscription
from soulspot_db.language import rules
from soulspot_db.registry import EntityRegistry
from soulspot_db.repository import Repository
from soulspot_db.service import DatabaseService
from soulspot_db.settings import DatabaseSettings
from soulspot_db.transaction import Transaction
from soulspot_db.typing import FieldDocuments, IndexDocuments

__all__ = [
    "UNSET",
    "ConfigurationError",
    "ConnectionFailedError",
    "ConstraintViolationError",
    "Database",
    "DatabaseError",
    "DatabaseService",
    "DatabaseSettings",
    "Entity",
    "EntityCreate",
    "EntityRegistry",
    "EntitySchema",
    "EntityUpdate",
    "Event",
    "EventBus",
    "FieldDocuments",
    "IndexDocuments",
    "LockedError",
    "MigrationError",
    "MigrationRequiredError",
    "NotFoundError",
    "PoolExhaustedError",
    "QueryFailedError",
    "QueryTimeoutError",
    "Repository",
    "SchemaAheadError",
    "SchemaInvalidError",
    "Subscription",
    "Transaction",
    "TransactionError",
    "UnknownEntityError",
    "UnknownFieldError",
    "UnsafeWriteError",
    "ValidationFailedError",
    "rules",
]
