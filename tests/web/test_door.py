"""Who is let in, what every answer carries, and how errors are told."""

import logging
import sys

import pytest
from fastapi import HTTPException
from prometheus_client.parser import text_string_to_metric_families
from soulspot_db import ConfigurationError, DatabaseError
from soulspot_db.web import database_app
from starlette.requests import Request

ADDRESSES = ["/", "/card", "/card.css", "/icon.svg", "/health", "/stats", "/stats?detail=full", "/metrics", "/nothing"]
FIVE = {"code", "message", "context", "resolution", "docs_url"}
PREFIX = "/api/database"


def asks_a_header(request: Request) -> bool:
    return request.headers.get("x-key") == "open"


async def waits_for_a_header(request: Request) -> bool:
    return asks_a_header(request)


class AsksAHeader:
    async def __call__(self, request: Request) -> str:
        return "yes" if asks_a_header(request) else ""


@pytest.mark.parametrize("auth", [asks_a_header, waits_for_a_header, AsksAHeader()])
@pytest.mark.parametrize("address", ADDRESSES)
async def test_who_is_not_let_in_gets_401_at_every_address_and_nothing_else(db, ask, auth, address):
    app = database_app(db, auth=auth)
    refused = await ask(app, address)
    assert refused.status_code == 401
    assert refused.json()["code"] == "DATABASE_ACCESS_DENIED"
    assert refused.json().keys() == FIVE
    assert (await ask(app, address, headers={"x-key": "open"})).status_code != 401


@pytest.mark.parametrize("answer", [None, False, 0, "", [], {}])
async def test_whatever_is_false_lets_nobody_in(db, ask, answer):
    assert (await ask(database_app(db, auth=lambda _request: answer), "/stats")).status_code == 401


async def test_a_method_that_is_not_let_in_is_told_nothing_of_methods(db, ask):
    assert (await ask(database_app(db, auth=lambda _request: False), "/stats", "DELETE")).status_code == 401


class NoTruth:
    def __bool__(self) -> bool:
        raise ValueError("geheim")


def raises(error):
    def auth(_request):
        raise error

    return auth


async def raises_later(_request):
    raise RuntimeError("geheim")


@pytest.mark.parametrize(
    "auth",
    [
        raises(RuntimeError("geheim")),
        raises(HTTPException(403, "geheim")),
        raises(DatabaseError("geheim")),
        raises_later,
        lambda _request: NoTruth(),
    ],
    ids=["plain", "http", "ours", "later", "no truth"],
)
async def test_an_auth_that_raises_lets_nobody_in_tells_nothing_and_is_logged(db, ask, auth, caplog):
    with caplog.at_level(logging.ERROR, "soulspot_db.web"):
        answer = await ask(database_app(db, auth=auth), "/stats")
    assert answer.status_code == 500
    assert answer.json().keys() == FIVE
    assert "geheim" not in answer.text
    assert "Traceback" not in answer.text
    assert "geheim" in caplog.text


@pytest.mark.parametrize(
    "arguments",
    [{"auth": None}, {"auth": None, "public": "yes"}, {"auth": asks_a_header, "public": True}, {"auth": "secret"}],
)
async def test_it_must_be_said_who_may_look(db, arguments):
    with pytest.raises(ConfigurationError):
        database_app(db, **arguments)


async def test_auth_cannot_be_forgotten(db):
    with pytest.raises(TypeError):
        database_app(db)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_no_answer_is_to_be_stored_or_to_run_anything(mounted, ask, address, method):
    answer = await ask(mounted, PREFIX + address, method)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in answer.headers["content-security-policy"]


async def body_of(app, path, method):
    """What an application sends as the body; a client would drop that of HEAD by itself."""
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "http_version": "1.1", "method": method, "path": path, "query_string": b"", "headers": []}
    await app(scope, receive, send)
    return b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize("address", ["/", "/card", "/card.css", "/health", "/stats"])
async def test_head_answers_as_get_without_a_body(mounted, ask, address):
    whole, head = await ask(mounted, PREFIX + address), await ask(mounted, PREFIX + address, "HEAD")
    assert (whole.status_code, head.status_code) == (200, 200)
    assert whole.content
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert await body_of(mounted, PREFIX + address, "HEAD") == b""
    assert await body_of(mounted, PREFIX + address, "GET") != b""


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_are_refused_in_the_error_format(mounted, ask, method):
    answer = await ask(mounted, f"{PREFIX}/stats", method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert answer.json().keys() == FIVE


@pytest.mark.parametrize("address", ["/nothing", "/stats/", "/stats/x", "/card.html", "/%2e%2e/x"])
async def test_an_address_that_leads_nowhere_is_told_in_the_error_format(mounted, ask, address):
    answer = await ask(mounted, PREFIX + address)
    assert answer.status_code == 404
    assert answer.json()["code"] == "DATABASE_NOT_FOUND"
    assert answer.json().keys() == FIVE


@pytest.mark.parametrize(
    "query", ["detail=everything", "detail=", "detale=full", "detail=full&detail=full", "detail=<script>", "x"]
)
async def test_a_query_that_means_nothing_is_refused_and_not_repeated(mounted, ask, query):
    answer = await ask(mounted, f"{PREFIX}/stats?{query}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "DATABASE_VALIDATION_FAILED"
    assert "<script>" not in answer.text
    assert "everything" not in answer.text


async def test_a_fault_of_ours_tells_the_client_nothing_and_the_log_everything(db, ask, monkeypatch, caplog):
    async def broken(**_arguments):
        raise RuntimeError("geheim")

    monkeypatch.setattr(db, "stats", broken)
    app = database_app(db, auth=None, public=True)
    for address in ("/stats", "/card", "/"):
        answer = await ask(app, address)
        assert answer.status_code == 500
        assert answer.json().keys() == FIVE
        assert "geheim" not in answer.text
    assert "geheim" in caplog.text


async def test_handlers_of_the_application_around_it_do_not_answer_its_errors(db, ask):
    from fastapi import FastAPI
    from starlette.responses import PlainTextResponse

    host = FastAPI(exception_handlers={DatabaseError: lambda _request, _error: PlainTextResponse("theirs", 418)})
    host.mount(PREFIX, database_app(db, auth=None, public=True))
    assert (await ask(host, f"{PREFIX}/nothing")).status_code == 404
    assert (await ask(host, f"{PREFIX}/stats?nothing")).status_code == 400


async def test_links_begin_with_the_path_that_it_is_mounted_at(mounted, ask):
    for address in ("/", "/card"):
        text = (await ask(mounted, PREFIX + address)).text
        assert f'href="{PREFIX}/card.css"' in text
        assert f'hx-get="{PREFIX}/card"' in text


async def test_the_page_says_when_it_is_loaded_again_and_can_be_told_not_to(mounted, ask):
    assert (await ask(mounted, f"{PREFIX}/")).headers["refresh"] == "5"
    assert (await ask(mounted, f"{PREFIX}/?refresh=30")).headers["refresh"] == "30"
    stopped = await ask(mounted, f"{PREFIX}/?refresh=off")
    assert "refresh" not in stopped.headers
    assert "Load again every 5 s" in stopped.text


async def test_metrics_are_what_prometheus_reads(mounted, ask, db):
    await db.save("counter", {"name": "a"})
    answer = await ask(mounted, f"{PREFIX}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    samples = [sample for family in text_string_to_metric_families(answer.text) for sample in family.samples]
    saved = {"entity": "counter", "operation": "save", "outcome": "ok"}
    assert [sample.value for sample in samples if sample[:2] == ("soulspot_db_operations_total", saved)] == [1]


async def test_metrics_without_their_library_name_the_extra(db, ask, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.delitem(sys.modules, "soulspot_db.monitoring.prometheus", raising=False)
    answer = await ask(database_app(db, auth=None, public=True), "/metrics")
    assert answer.status_code == 501
    assert "soulspot-db[prometheus]" in answer.json()["resolution"]
