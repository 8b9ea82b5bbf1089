"""The ASGI application: which addresses there are, and what answers them."""

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from soulspot_db.database import Database
from soulspot_db.web.door import Auth, Door, checked
from soulspot_db.web.errors import nothing_here
from soulspot_db.web.pages import Pages

__all__ = ["database_app"]


def database_app(db: Database, *, auth: Auth | None, public: bool = False) -> ASGIApp:
    """What is to be seen of a database, to mount at `/api/database` in FastAPI, Starlette or any other ASGI application.

    `GET /stats` and `/health` answer in JSON, `/metrics` for Prometheus, `/card` with a fragment of HTML for HTMX, and `/` with
    the same as a page. No answer is to be stored by anybody. Errors are the five keys of `DatabaseError.to_dict()`.

    Args:
        db: the database; it may be opened later.
        auth: called with Starlette's `Request` for each of them, a function or a coroutine function; what it returns is true
            for who may look. A plain function runs on the event loop, so it must not wait.
        public: has to be True where `auth` is None: then everybody may look who can reach it.

    Raises:
        ConfigurationError: it is not clear who may look, or `auth` cannot be called.
    """
    pages = Pages(db)
    router = Router(
        [
            Route("/", pages.page),
            Route("/card", pages.card),
            Route("/card.css", pages.style),
            Route("/health", pages.health),
            Route("/icon.svg", pages.icon),
            Route("/metrics", pages.metrics),
            Route("/stats", pages.stats),
        ],
        redirect_slashes=False,
        default=_nothing,
    )
    return Door(router, checked(auth, public=public))


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - as ASGI has it
    raise nothing_here()
