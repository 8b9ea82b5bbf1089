"""Errors that only a client over HTTP can make, and the status of each."""

from http import HTTPStatus

from soulspot_db.errors import (
    AccessDeniedError,
    ConfigurationError,
    DatabaseError,
    NotFoundError,
    QueryTimeoutError,
    ValidationFailedError,
)

__all__ = ["broken", "denied", "method_unknown", "nothing_here", "status_of", "too_late", "value_unknown"]

_STATUSES: dict[str, HTTPStatus] = {
    DatabaseError.code: HTTPStatus.INTERNAL_SERVER_ERROR,
    AccessDeniedError.code: HTTPStatus.UNAUTHORIZED,
    ConfigurationError.code: HTTPStatus.NOT_IMPLEMENTED,
    NotFoundError.code: HTTPStatus.NOT_FOUND,
    ValidationFailedError.code: HTTPStatus.BAD_REQUEST,
}


def status_of(error: DatabaseError) -> HTTPStatus:
    """The status that goes with an error; what the database raises means that it cannot be used now."""
    if "allowed" in error.context:
        return HTTPStatus.METHOD_NOT_ALLOWED
    return _STATUSES.get(error.code, HTTPStatus.SERVICE_UNAVAILABLE)


def denied() -> AccessDeniedError:
    """The error for a client that `auth` does not let in."""
    return AccessDeniedError("this is not for everybody", "Sign in, then ask again.")


def nothing_here() -> NotFoundError:
    """The error for an address that leads nowhere."""
    return NotFoundError("there is nothing at this address", "Ask for /, /stats, /health, /metrics or /card.")


def method_unknown() -> ValidationFailedError:
    """The error for a method that would change something."""
    return ValidationFailedError("it can only be looked at", "Use GET or HEAD.", allowed="GET, HEAD")


def value_unknown(name: str, values: str) -> ValidationFailedError:
    """The error for a query that means nothing; it repeats nothing of what was sent."""
    return ValidationFailedError(
        f"the query of this address can only be {name}={values}", "Correct it, or leave it out."
    )


def too_late(seconds: float) -> QueryTimeoutError:
    """The error for figures that could not be had in time."""
    return QueryTimeoutError(
        f"the figures could not be had within {seconds:g} s",
        "Look at /health, which says what is wrong.",
        timeout=seconds,
    )


def broken() -> DatabaseError:
    """The error for what should not happen: the client is told nothing, the log all of it."""
    return DatabaseError("something went wrong here, and nothing was changed", "Look into the log of the program.")
