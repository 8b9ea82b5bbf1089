"""The public names: adding or removing one is a decision, so it fails here first."""

import inspect

import soulspot_db
from soulspot_db import Database, DatabaseService, Transaction

PUBLIC = [
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

FIXED = {
    "get": ["entity_type", "entity_id"],
    "save": ["entity_type", "entity_data"],
    "update": ["entity_type", "entity_id", "updates"],
    "delete": ["entity_type", "entity_id"],
    "query": ["entity_type", "filters", "order_by", "limit", "offset"],
    "count": ["entity_type", "filters"],
}


def test_the_package_exports_exactly_these_names():
    assert soulspot_db.__all__ == PUBLIC


def test_every_exported_name_exists():
    assert all(hasattr(soulspot_db, name) for name in soulspot_db.__all__)


def test_the_seven_methods_of_the_facade_keep_their_positional_parameters():
    for name, expected in FIXED.items():
        method = getattr(DatabaseService, name)
        parameters = list(inspect.signature(method).parameters.values())[1:]
        positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert (name, positional) == (name, expected)
        assert inspect.iscoroutinefunction(method)


def test_transaction_is_a_plain_method():
    assert not inspect.iscoroutinefunction(DatabaseService.transaction)


def test_a_database_and_a_transaction_offer_the_same_facade():
    assert issubclass(Database, DatabaseService)
    assert issubclass(Transaction, DatabaseService)
