"""`soulspot-db stats`."""

import json
from http.client import HTTPException
from time import sleep
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import click

from soulspot_db.errors import ConfigurationError, ConnectionFailedError, DatabaseError

__all__ = ["stats"]

_EVERY = 2.0  # seconds
_PATIENCE = 5.0  # seconds


@click.command()
@click.option(
    "--url",
    envvar="DATABASE_STATS_URL",
    help="Where the running program has mounted it, as http://127.0.0.1:8000/api/database; or DATABASE_STATS_URL.",
)
@click.option(
    "--token", envvar="DATABASE_STATS_TOKEN", help="Sent as `Authorization: Bearer ...`; or DATABASE_STATS_TOKEN."
)
@click.option("--watch", is_flag=True, help="Go on, every two seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, all figures.")
def stats(*, url: str | None, token: str | None, watch: bool, as_json: bool) -> None:
    """Show the figures of a running program.

    They are in its memory: it shows them where it has mounted `soulspot_db.web.database_app`.
    """
    try:
        address = _checked(url)
        if as_json:
            _print_json(address, token, watch=watch)
        else:
            _show(address, token, watch=watch)
    except DatabaseError as error:
        click.echo(str(error), err=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        return  # that is how `--watch` ends


def _checked(url: str | None) -> str:
    if url is None or not _is_http(url):
        raise ConfigurationError(
            "nothing says where the running program shows its figures"
            if url is None
            else "that is no http address; it has to be the one where the figures are shown",
            "Mount them: app.mount('/api/database', database_app(db, auth=...)), of soulspot_db.web.",
            "Pass --url http://127.0.0.1:8000/api/database, or set DATABASE_STATS_URL.",
        )
    return url.rstrip("/")


def _is_http(url: str) -> bool:
    try:
        scheme, _port = urlsplit(url).scheme, urlsplit(url).port
    except ValueError:  # brackets that do not close, or a port that is none
        return False
    return scheme in {"http", "https"}


def _print_json(address: str, token: str | None, *, watch: bool) -> None:
    click.echo(json.dumps(_figures(address, token)))
    while watch:
        sleep(_EVERY)
        click.echo(json.dumps(_figures(address, token)))


def _show(address: str, token: str | None, *, watch: bool) -> None:
    try:
        from rich.live import Live  # noqa: PLC0415 - only who looks needs it

        from soulspot_db.cli.figures import Screen  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"the table needs the module {error.name!r}, which is not installed",
            "Install it: pip install 'soulspot-db[terminal]'",
            "Or use --json.",
        ) from error
    screen = Screen()
    with Live(screen.drawn(_figures(address, token)), auto_refresh=False, transient=False) as live:
        while watch:
            sleep(_EVERY)
            live.update(screen.drawn(_figures(address, token)), refresh=True)


def _figures(address: str, token: str | None) -> dict[str, Any]:
    request = Request(f"{address}/stats?detail=full")  # noqa: S310 - the scheme has been checked
    if token is not None:
        request.add_unredirected_header("Authorization", f"Bearer {token}")  # nobody else may have it
    try:
        with urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 - as above
            found = json.load(answer)
    except HTTPError as error:
        refused = error.code in {401, 403}
        raise ConnectionFailedError(
            f"{address} answers {error.code}",
            "Pass --token, or set DATABASE_STATS_TOKEN."
            if refused
            else "Correct the address: /stats must be below it.",
            operation="stats",
        ) from error
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise ConnectionFailedError(
            f"{address} shows no figures: {getattr(error, 'reason', error)}",
            "Start the program, or correct --url.",
            operation="stats",
        ) from error
    if not isinstance(found, dict) or "operations" not in found:
        raise ConnectionFailedError(
            f"{address} shows something else", "Pass the address where database_app is mounted.", operation="stats"
        )
    return found
