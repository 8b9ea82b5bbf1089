"""What each address answers."""

import asyncio
from collections.abc import Awaitable
from http import HTTPStatus
from importlib.resources import files
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from soulspot_db.database import Database
from soulspot_db.errors import DatabaseError
from soulspot_db.web.answers import as_html, as_json
from soulspot_db.web.card import render_card, render_page
from soulspot_db.web.errors import too_late, value_unknown

__all__ = ["Pages"]

T = TypeVar("T")
_PATIENCE = 1.5  # seconds; an answer has two
_REFRESHES = {"5": 5, "30": 30, "off": None}


class Pages:
    """The pages of one database."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._style = files("soulspot_db.web").joinpath("card.css").read_bytes()
        self._icon = files("soulspot_db.web").joinpath("icon.svg").read_bytes()

    async def stats(self, request: Request) -> Response:
        """The figures; all of them with `?detail=full`."""
        detail = _value(request, "detail", ("full",))
        return as_json(await self._figures() if detail else await _within(self._db.stats()))

    async def health(self, _request: Request) -> Response:
        """The checks; 503 where one fails."""
        report = await self._db.health()
        is_failing = report["status"] == "failing"
        return as_json(report, HTTPStatus.SERVICE_UNAVAILABLE if is_failing else HTTPStatus.OK)

    async def metrics(self, _request: Request) -> Response:
        """The figures as Prometheus reads them."""
        # Only who exports them has the library; without it, this raises the error that names the extra.
        from soulspot_db.monitoring.prometheus import metrics_text  # noqa: PLC0415

        # It looks at files and folders, which may be on a disk that hangs.
        body, content_type = await _within(asyncio.to_thread(metrics_text, self._db))
        return Response(body, headers={"content-type": content_type})

    async def card(self, request: Request) -> Response:
        """The card as a fragment, which asks for itself again where HTMX is on the page."""
        return as_html(render_card(*await self._seen(), root=request.scope.get("root_path", "")))

    async def page(self, request: Request) -> Response:
        """The card as a page of its own, which the browser loads again every few seconds, unless told otherwise."""
        refresh = _value(request, "refresh", tuple(_REFRESHES)) or "5"
        seconds = _REFRESHES[refresh]
        # A header, because a page that says so in its own text cannot be told to stop.
        headers = {} if seconds is None else {"refresh": str(seconds)}
        root = request.scope.get("root_path", "")
        return as_html(render_page(*await self._seen(), root=root, seconds=seconds), headers=headers)

    async def style(self, _request: Request) -> Response:
        """The style sheet of the card."""
        return Response(self._style, media_type="text/css")

    async def icon(self, _request: Request) -> Response:
        """The icon of the page; without one, browsers ask the application around it."""
        return Response(self._icon, media_type="image/svg+xml")

    async def _figures(self) -> dict[str, Any]:
        return await _within(self._db.stats(detail="full"))

    async def _seen(self) -> tuple[dict[str, Any] | DatabaseError, dict[str, Any]]:
        """Figures and health; without figures, the reason: a card says what is wrong, since HTMX shows no error."""
        figures, health = await asyncio.gather(self._figures_or_why(), self._db.health())
        return figures, health

    async def _figures_or_why(self) -> dict[str, Any] | DatabaseError:
        try:
            return await self._figures()
        except DatabaseError as error:
            return error


async def _within(figures: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await figures
    except TimeoutError as error:
        raise too_late(_PATIENCE) from error


def _value(request: Request, name: str, values: tuple[str, ...]) -> str | None:
    """The value in the query of an address; raises ValidationFailedError for what is not in `values`, and for other names."""
    query = request.query_params.multi_items()
    if not query:
        return None
    if len(query) > 1 or query[0][0] != name or query[0][1] not in values:
        raise value_unknown(name, " or ".join(values))
    return query[0][1]
