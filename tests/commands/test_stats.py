"""`soulspot-db stats`: the figures of a running program, in a terminal or as JSON."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from soulspot_db import Database, DatabaseSettings, EntityRegistry, EntitySchema
from soulspot_db.cli.figures import Screen

WRONG = "SELECT [bold]x[/bold] FROM " + "y" * 300


class AlbumSchema(EntitySchema):
    entity_type = "album"
    table_name = "albums"
    fields = {"id": {"type": "uuid", "primary_key": True}, "title": {"type": "string", "max_length": 40}}


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """Of a program that has done something."""

    async def work():
        path = tmp_path_factory.mktemp("stats") / "soulspot.db"
        settings = DatabaseSettings(database_path=path, slow_query_threshold=1e-6, _env_file=None)
        with EntityRegistry.isolated():
            EntityRegistry.register("album", AlbumSchema)
            async with Database(settings) as db:
                await db.create_table("album")
                await db.save("album", {"title": "Blue"})
                for _ in range(3):
                    await db.query("album", {"title": "Blue"})
                return await db.stats(detail="full")

    return asyncio.run(work())


@pytest.fixture
def serving():
    """Starts a server that has one answer, and keeps what it was asked."""
    servers = []

    def start(answer, status=200):
        class Handler(BaseHTTPRequestHandler):
            asked = []

            def do_GET(self):
                self.asked.append((self.path, self.headers.get("Authorization")))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

            def log_message(self, *args):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/api/database", Handler.asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_table_has_operations_hit_rates_and_slow_statements(program, serving, figures):
    url, asked = serving(figures)
    found = program("stats", "--url", f"{url}/", "--token", "geheim")
    assert (found.code, found.err) == (0, "")
    assert asked == [("/api/database/stats?detail=full", "Bearer geheim")]
    for word in ("album", "query", "memory", "slow statements", "SELECT albums.id"):
        assert word in " ".join(found.out.split())
    assert "geheim" not in found.out


def test_as_json_it_is_what_the_program_said(program, serving, figures):
    url, _ = serving(figures)
    found = program("stats", "--url", url, "--json")
    assert json.loads(found.out) == json.loads(json.dumps(figures))


def test_the_address_comes_from_a_variable_too(program, serving, figures, monkeypatch):
    url, asked = serving(figures)
    monkeypatch.setenv("DATABASE_STATS_URL", url)
    monkeypatch.setenv("DATABASE_STATS_TOKEN", "geheim")
    assert program("stats", "--json").code == 0
    assert asked[0][1] == "Bearer geheim"


def test_without_an_address_it_says_how_to_mount_and_to_name_it(program):
    found = program("stats")
    assert found.code == 1
    assert "database_app" in found.err
    assert "DATABASE_STATS_URL" in found.err


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ({}, 401, "--token"),
        ({}, 404, "/stats must be below it"),
        (b"<html>", 200, "shows no figures"),
        ({"other": 1}, 200, "shows something else"),
        ([1], 200, "shows something else"),
    ],
)
def test_an_answer_that_is_none_is_an_error_in_words(program, serving, answer, status, words):
    url, _ = serving(answer, status)
    found = program("stats", "--url", url)
    assert found.code == 1
    assert words in found.err
    assert "Traceback" not in found.err


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/x", "ftp://x/y", "file:///etc/passwd", "nonsense", "http://[", "http://localhost:abc"]
)
def test_an_address_where_nobody_answers_is_an_error_in_words(program, url):
    found = program("stats", "--url", url)
    assert found.code == 1
    assert found.err.startswith("[DATABASE_")
    assert "Traceback" not in found.err


def test_what_stands_in_statements_is_no_markup_and_long_ones_are_cut(figures):
    from rich.console import Console

    slow = {**figures["slow_queries"][0], "query": WRONG, "advice": "[red]x"}
    console = Console(width=300)
    with console.capture() as captured:
        console.print(Screen().drawn({**figures, "slow_queries": [slow]}))
    assert "[bold]x[/bold]" in captured.get()
    assert "[red]x" in captured.get()
    assert "y" * 101 not in captured.get()


def test_of_two_looks_the_second_knows_how_many_statements_a_second_there_were(figures):
    from rich.console import Console

    screen, console = Screen(), Console(width=200)
    later = {**figures, "queries": {**figures["queries"], "total": figures["queries"]["total"] + 50}}
    with console.capture() as captured:
        console.print(screen.drawn(figures))
        console.print(screen.drawn(later))
    assert captured.get().count("a second)") == 1


def test_the_token_goes_to_nobody_whom_an_answer_names(program, serving, figures):
    other, asked = serving(figures)

    class Redirects(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(302)
            self.send_header("Location", f"{other}/stats?detail=full")
            self.end_headers()

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Redirects) as first:
        threading.Thread(target=first.serve_forever, args=[0.01], daemon=True).start()
        program("stats", "--json", "--token", "geheim", "--url", f"http://127.0.0.1:{first.server_port}")
        first.shutdown()
    assert [token for _, token in asked] == [None]
