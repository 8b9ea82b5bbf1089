"""The door: who may come in, what every answer carries, and what becomes of errors."""

import inspect
import logging
from collections.abc import Callable
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from soulspot_db.errors import ConfigurationError, DatabaseError
from soulspot_db.web.answers import HEADERS, as_problem
from soulspot_db.web.errors import broken, denied, method_unknown

__all__ = ["Auth", "Door", "checked"]

Auth = Callable[[Request], Any]
"""Says, at once or when awaited, whether a request may be answered."""

_log = logging.getLogger("soulspot_db.web")


def checked(auth: Auth | None, *, public: bool) -> Auth | None:
    """`auth`, if it is clear who may look.

    Raises:
        ConfigurationError: neither `auth` nor `public` was given, or both; or `auth` cannot be called.
    """
    if auth is None and public is not True:
        raise ConfigurationError(
            "database_app needs to know who may look",
            "Pass auth=..., a function that takes the request and says whether it may be answered.",
            "If everybody may look who can reach it: auth=None, public=True.",
        )
    if auth is not None and public:
        raise ConfigurationError("public=True lets everybody in, and auth would ask", "Pass one of the two.")
    if auth is not None and not callable(auth):
        raise ConfigurationError("auth cannot be called", "Pass a function that takes the request.")
    return auth


class Door:
    """An ASGI application around another.

    Args:
        app: answers GET.
        auth: asked before anything else is looked at; None lets everybody in.
    """

    def __init__(self, app: ASGIApp, auth: Auth | None) -> None:
        self._app = app
        self._auth = auth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, has_body=scope["method"] != "HEAD")
        # Without the handlers of the application around it, which would answer our errors in its own way.
        inner = {name: value for name, value in scope.items() if name != "starlette.exception_handlers"}
        try:
            if not await self._lets_in(Request(inner, receive)):
                raise denied()  # noqa: TRY301 - answered like every other
            if scope["method"] not in {"GET", "HEAD"}:
                raise method_unknown()  # noqa: TRY301 - as above
            await self._app(inner, receive, answer.send)
        except Exception as error:
            if answer.has_begun:
                raise  # nothing can be said any more; the server ends the connection
            if not isinstance(error, DatabaseError):
                _log.exception("%s could not be answered", scope["path"].encode("ascii", "backslashreplace").decode())
                error = broken()
            await as_problem(error)(inner, receive, answer.send)

    async def _lets_in(self, request: Request) -> bool:
        if self._auth is None:
            return True
        try:
            answer = self._auth(request)
            return bool(await answer if inspect.isawaitable(answer) else answer)
        except (
            Exception
        ) as error:  # whatever it is, also one of ours, it is the application's own and tells clients nothing
            _log.exception("auth failed, and nobody was let in")
            raise broken() from error


class _Answer:
    """Sends what is answered, with the headers that every answer has, and without a body where none was asked for."""

    def __init__(self, send: Send, *, has_body: bool) -> None:
        self._send = send
        self._has_body = has_body
        self.has_begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            MutableHeaders(scope=message).update(dict(HEADERS))
        elif message["type"] == "http.response.body" and not self._has_body:
            message = {**message, "body": b""}
        await self._send(message)
