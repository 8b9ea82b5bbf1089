"""Answers over HTTP: their headers, and JSON that holds whatever an error's context may be."""

import json
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from soulspot_db.errors import DatabaseError
from soulspot_db.web.errors import status_of

__all__ = ["HEADERS", "as_html", "as_json", "as_problem"]

HEADERS = (
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
)
"""On every answer, also on errors."""


def as_json(content: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """An answer in JSON, in ASCII: what cannot be written in UTF-8 is escaped too."""
    return Response(json.dumps(content, default=str), status, media_type="application/json")


def as_html(text: str, *, headers: dict[str, str] | None = None) -> Response:
    """An answer in HTML; of a name that is no text in UTF-8, what is wrong becomes a question mark."""
    body = text.encode("utf-8", errors="replace")
    return Response(body, headers=headers, media_type="text/html; charset=utf-8")


def as_problem(error: DatabaseError) -> Response:
    """An error in the five keys, with its status."""
    answer = as_json(error.to_dict(), status_of(error))
    if "allowed" in error.context:
        answer.headers["allow"] = error.context["allowed"]
    return answer
