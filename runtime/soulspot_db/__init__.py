"""soulspot-db: typed repositories, transactions, cache and events over one runtime, made from entity schemas."""

from typing import TYPE_CHECKING

from soulspot_db.lazy import lazy_attributes

if TYPE_CHECKING:
    from soulspot_db.database import Database
    from soulspot_db.entity import UNSET, Entity, EntityCreate, EntitySchema, EntityUpdate
    from soulspot_db.errors import (
        AccessDeniedError,
        CommitOutcomeUnknownError,
        ConfigurationError,
        ConnectionFailedError,
        ConstraintViolationError,
        DatabaseError,
        DecryptionFailedError,
        DiskFullError,
        LockedError,
        MigrationError,
        MigrationRequiredError,
        NotFoundError,
        PoolExhaustedError,
        QueryFailedError,
        QueryTimeoutError,
        SchemaAheadError,
        SchemaInvalidError,
        SerializationFailedError,
        TransactionError,
        UnknownEntityError,
        UnknownFieldError,
        UnsafeWriteError,
        ValidationFailedError,
        VersionConflictError,
    )
    from soulspot_db.events.bus import Event, EventBus, Subscription
    from soulspot_db.facade.service import DatabaseService
    from soulspot_db.facade.transaction import Transaction
    from soulspot_db.language import rules
    from soulspot_db.monitoring.record import OperationRecord
    from soulspot_db.registry import EntityRegistry
    from soulspot_db.repositories.paging import Page
    from soulspot_db.repositories.relations.included import Included, Relative
    from soulspot_db.repositories.repository import Repository
    from soulspot_db.settings import DatabaseSettings
    from soulspot_db.typing import FieldDocuments, IndexDocuments
else:
    # The command line lists its commands, and the generator reads the language, without paying for all of this.
    __getattr__ = lazy_attributes(
        {
            "soulspot_db.database": ["Database"],
            "soulspot_db.entity": ["UNSET", "Entity", "EntityCreate", "EntitySchema", "EntityUpdate"],
            "soulspot_db.errors": [
                "AccessDeniedError",
                "CommitOutcomeUnknownError",
                "ConfigurationError",
                "ConnectionFailedError",
                "ConstraintViolationError",
                "DatabaseError",
                "DecryptionFailedError",
                "DiskFullError",
                "LockedError",
                "MigrationError",
                "MigrationRequiredError",
                "NotFoundError",
                "PoolExhaustedError",
                "QueryFailedError",
                "QueryTimeoutError",
                "SchemaAheadError",
                "SchemaInvalidError",
                "SerializationFailedError",
                "TransactionError",
                "UnknownEntityError",
                "UnknownFieldError",
                "UnsafeWriteError",
                "ValidationFailedError",
                "VersionConflictError",
            ],
            "soulspot_db.events.bus": ["Event", "EventBus", "Subscription"],
            "soulspot_db.repositories.relations.included": ["Included", "Relative"],
            "soulspot_db.language": ["rules"],
            "soulspot_db.monitoring.record": ["OperationRecord"],
            "soulspot_db.repositories.paging": ["Page"],
            "soulspot_db.registry": ["EntityRegistry"],
            "soulspot_db.repositories.repository": ["Repository"],
            "soulspot_db.facade.service": ["DatabaseService"],
            "soulspot_db.settings": ["DatabaseSettings"],
            "soulspot_db.facade.transaction": ["Transaction"],
            "soulspot_db.typing": ["FieldDocuments", "IndexDocuments"],
        }
    )

__all__ = [
    "UNSET",
    "AccessDeniedError",
    "CommitOutcomeUnknownError",
    "ConfigurationError",
    "ConnectionFailedError",
    "ConstraintViolationError",
    "Database",
    "DatabaseError",
    "DatabaseService",
    "DatabaseSettings",
    "DecryptionFailedError",
    "DiskFullError",
    "Entity",
    "EntityCreate",
    "EntityRegistry",
    "EntitySchema",
    "EntityUpdate",
    "Event",
    "EventBus",
    "FieldDocuments",
    "Included",
    "IndexDocuments",
    "LockedError",
    "MigrationError",
    "MigrationRequiredError",
    "NotFoundError",
    "OperationRecord",
    "Page",
    "PoolExhaustedError",
    "QueryFailedError",
    "QueryTimeoutError",
    "Relative",
    "Repository",
    "SchemaAheadError",
    "SchemaInvalidError",
    "SerializationFailedError",
    "Subscription",
    "Transaction",
    "TransactionError",
    "UnknownEntityError",
    "UnknownFieldError",
    "UnsafeWriteError",
    "ValidationFailedError",
    "VersionConflictError",
    "rules",
]


def __dir__() -> list[str]:
    return __all__
