"""Every error this package raises.

DatabaseError
├── ConfigurationError          DATABASE_CONFIGURATION_INVALID
├── ConnectionFailedError       DATABASE_CONNECTION_FAILED
├── QueryTimeoutError           DATABASE_QUERY_TIMEOUT
├── LockedError                 DATABASE_LOCKED                 retryable
├── SerializationFailedError    DATABASE_SERIALIZATION_FAILED   retryable
├── VersionConflictError        DATABASE_VERSION_CONFLICT
├── PoolExhaustedError          DATABASE_POOL_EXHAUSTED
├── DiskFullError               DATABASE_DISK_FULL
├── QueryFailedError            DATABASE_QUERY_FAILED
├── DecryptionFailedError       DATABASE_DECRYPTION_FAILED
├── ConstraintViolationError    DATABASE_CONSTRAINT_VIOLATION
├── ValidationFailedError       DATABASE_VALIDATION_FAILED
├── UnknownEntityError          DATABASE_UNKNOWN_ENTITY         also a ValueError
├── UnknownFieldError           DATABASE_UNKNOWN_FIELD
├── NotFoundError               DATABASE_NOT_FOUND
├── AccessDeniedError           DATABASE_ACCESS_DENIED
├── UnsafeWriteError            DATABASE_UNSAFE_WRITE
├── TransactionError            DATABASE_TRANSACTION_INVALID
├── CommitOutcomeUnknownError   DATABASE_COMMIT_OUTCOME_UNKNOWN
├── SchemaInvalidError          DATABASE_SCHEMA_INVALID
└── MigrationError              DATABASE_MIGRATION_FAILED
    ├── MigrationRequiredError  DATABASE_MIGRATION_REQUIRED
    └── SchemaAheadError        DATABASE_SCHEMA_AHEAD
"""

import copy
from typing import Any, ClassVar, Self

__all__ = [
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
]


class DatabaseError(Exception):
    """What went wrong, where, and what to do now.

    Args:
        message: one sentence.
        steps: what to do, in order; they become the numbered `resolution`.
        context: `operation`, `entity_type` and the like; never a value that was stored.
    """

    code: ClassVar[str] = "DATABASE_ERROR"
    page: ClassVar[str] = "index"
    retryable: ClassVar[bool] = False
    """Whether only the moment was wrong: nothing was done, and the same transaction may succeed when it is run again."""

    def __init__(self, message: str, *steps: str, **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.context: dict[str, Any] = {"module": "database", **context}
        self.resolution = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))

    @property
    def docs_url(self) -> str:
        """The page that explains this code."""
        return f"https://docs.soulspot.app/troubleshooting/{self.page}"

    def about(self, **context: Any) -> Self:
        """A copy that says more about where it happened; what is said already stays.

        A copy, because one error of the database can be the answer to several callers.
        """
        told = copy.copy(self)
        told.context = {**context, **self.context}
        return told

    def with_step(self, step: str) -> Self:
        """A copy whose resolution has one more step, known only where it is raised."""
        told = copy.copy(self)
        steps = self.resolution.splitlines()
        told.resolution = "\n".join([*steps, f"{len(steps) + 1}. {step}"])
        told.__cause__ = self.__cause__
        return told.with_traceback(self.__traceback__)

    def to_dict(self) -> dict[str, Any]:
        """The error as it is sent to a client or written to a log."""
        return {
            "code": self.code,
            "message": self.message,
            "context": dict(self.context),
            "resolution": self.resolution,
            "docs_url": self.docs_url,
        }

    def __str__(self) -> str:
        return f"[{self.code}] {self.message}" + (f"\n{self.resolution}" if self.resolution else "")


class ConfigurationError(DatabaseError):
    """A setting is missing or cannot mean anything."""

    code = "DATABASE_CONFIGURATION_INVALID"
    page = "configuration"


class ConnectionFailedError(DatabaseError):
    """The database cannot be opened or reached."""

    code = "DATABASE_CONNECTION_FAILED"
    page = "connection"


class QueryTimeoutError(DatabaseError):
    """A statement ran longer than `query_timeout` and was stopped; nothing of it stays."""

    code = "DATABASE_QUERY_TIMEOUT"
    page = "timeouts"


class LockedError(DatabaseError):
    """The writer could not be had in time."""

    code = "DATABASE_LOCKED"
    page = "locks"
    retryable = True


class SerializationFailedError(DatabaseError):
    """Another transaction has changed what this one has read."""

    code = "DATABASE_SERIALIZATION_FAILED"
    page = "locks"
    retryable = True


class VersionConflictError(DatabaseError):
    """The row was changed since it was read."""

    code = "DATABASE_VERSION_CONFLICT"
    page = "locks"


class PoolExhaustedError(DatabaseError):
    """No connection was free in time."""

    code = "DATABASE_POOL_EXHAUSTED"
    page = "locks"


class DiskFullError(DatabaseError):
    """There is no room for what was to be written; nothing of it stays."""

    code = "DATABASE_DISK_FULL"
    page = "disk"


class QueryFailedError(DatabaseError):
    """The database refused a statement for a reason that has no class of its own."""

    code = "DATABASE_QUERY_FAILED"
    page = "queries"


class DecryptionFailedError(DatabaseError):
    """A stored value of an encrypted field cannot be read: its key is missing, or it was never encrypted."""

    code = "DATABASE_DECRYPTION_FAILED"
    page = "encryption"


class ConstraintViolationError(DatabaseError):
    """A row would break a unique, foreign key, check or not-null constraint; context names field and constraint."""

    code = "DATABASE_CONSTRAINT_VIOLATION"
    page = "constraints"


class ValidationFailedError(DatabaseError):
    """A value does not fit its field, or an argument its method."""

    code = "DATABASE_VALIDATION_FAILED"
    page = "validation"


class UnknownEntityError(DatabaseError, ValueError):
    """No entity type of this name is registered."""

    code = "DATABASE_UNKNOWN_ENTITY"
    page = "validation"


class UnknownFieldError(DatabaseError):
    """The entity has no such field."""

    code = "DATABASE_UNKNOWN_FIELD"
    page = "validation"


class NotFoundError(DatabaseError):
    """`get_or_raise` found no row."""

    code = "DATABASE_NOT_FOUND"
    page = "validation"


class AccessDeniedError(DatabaseError):
    """Whoever asks over HTTP may not look."""

    code = "DATABASE_ACCESS_DENIED"
    page = "web"


class UnsafeWriteError(DatabaseError):
    """A conditional write without a condition."""

    code = "DATABASE_UNSAFE_WRITE"
    page = "validation"


class TransactionError(DatabaseError):
    """A transaction is over, lost, or used where it cannot be."""

    code = "DATABASE_TRANSACTION_INVALID"
    page = "transactions"


class CommitOutcomeUnknownError(DatabaseError):
    """The disk or the connection failed during COMMIT: all of the transaction may be stored, or nothing of it."""

    code = "DATABASE_COMMIT_OUTCOME_UNKNOWN"
    page = "transactions"


class SchemaInvalidError(DatabaseError):
    """An entity schema contradicts itself or another."""

    code = "DATABASE_SCHEMA_INVALID"
    page = "schemas"


class MigrationError(DatabaseError):
    """A migration could not be done; the database is as it was."""

    code = "DATABASE_MIGRATION_FAILED"
    page = "migrations"


class MigrationRequiredError(MigrationError):
    """The database is older than the code."""

    code = "DATABASE_MIGRATION_REQUIRED"
    page = "migrations"


class SchemaAheadError(MigrationError):
    """The database is newer than the code."""

    code = "DATABASE_SCHEMA_AHEAD"
    page = "migrations"
