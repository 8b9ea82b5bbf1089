"""The page and the card in a real browser: figures that change, nothing hostile that runs, and nobody shut out.

Skipped where there is no Chromium: install one, or name it in TEST_CHROMIUM.
"""

import asyncio
import itertools
import time
from importlib.resources import files

import browsers
import pytest
import support
from axe_playwright_python.sync_playwright import Axe
from sample_figures import HOSTILE, figures, health, hostile_figures
from soulspot_db import Database, EntityRegistry
from soulspot_db.engine.base import Statement
from soulspot_db.web import database_app
from soulspot_db.web.card import render_card, render_page
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route

PROGRAM = browsers.chromium()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine: the page was seen by no browser")
POLICY = {"content-security-policy": "default-src 'self'"}
# A page as an application has it: a script of its own fetches the fragment, as HTMX would.
HOST = """<!doctype html><html lang="en"><head><title>Host</title><link rel="icon" href="/api/database/icon.svg"><script src="/host.js" defer></script></head>
<body><main><h1>Host</h1><div id="place"></div></main></body></html>"""
SCRIPT = """const load = async () => {
  const text = await (await fetch("/api/database/card")).text();
  document.getElementById("place").innerHTML = text;
  document.body.dataset.loads = Number(document.body.dataset.loads || 0) + 1;
};
load(); setInterval(load, 500);"""


@pytest.fixture(scope="module")
def chromium():
    with browsers.browser(PROGRAM) as found:
        yield found


def static(request):
    """What pages of the test link to, as the application serves it below its own path."""
    name = request.url.path.removeprefix("/")
    kind = "text/css" if name.endswith("css") else "image/svg+xml"
    return Response(files("soulspot_db.web").joinpath(name).read_bytes(), media_type=kind)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server with a database; `/drawn/<number>` are pages of figures that the test chose."""
    path = tmp_path_factory.mktemp("browser") / "soulspot.db"
    state = {}

    async def make():
        # What is put into the registry is this thread's: the database is opened where it is used.
        state["isolated"] = EntityRegistry.isolated()
        state["isolated"].__enter__()
        support.register_all()
        db = state["db"] = await Database(support.settings(path, slow_query_threshold=0.02)).open()
        await support.create_tables(db)
        return Starlette(
            routes=[
                Mount("/api/database", database_app(db, auth=None, public=True)),
                Route("/host", lambda _request: HTMLResponse(HOST, headers=POLICY)),
                Route("/host.js", lambda _request: Response(SCRIPT, media_type="text/javascript")),
                Route("/drawn/{which}", lambda request: HTMLResponse(state[request.path_params["which"]], headers=POLICY)),
                Route("/card.css", static), Route("/icon.svg", static),
            ]
        )  # fmt: skip

    async def close():
        await state["db"].close()
        state["isolated"].__exit__(None, None, None)

    with browsers.served(make, close) as running:
        running.state = state
        yield running


@pytest.fixture
def watched(chromium, server):
    """Opens pages, and at the end nothing may have complained, asked anything, or gone elsewhere."""
    complaints, contexts = [], []

    def open_page(**options):
        context = chromium.new_context(**{"viewport": {"width": 1000, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on(
            "request",
            lambda request: None if request.url.startswith(server.url) else complaints.append(f"asked {request.url}"),
        )
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


async def work(db, number):
    await asyncio.gather(*(db.save("counter", {"name": f"{number}-{each}"}) for each in range(40)))
    for each in range(40):
        await db.get("counter", f"{number}-{each}")


def total(page):
    return int(page.locator(".sdb-note").first.inner_text().split()[0].replace(",", ""))


def grows(page, past):
    """Wait until more statements have been counted; the policy of the page lets playwright evaluate nothing again and again."""
    end = time.monotonic() + 15
    while total(page) <= past:
        assert time.monotonic() < end
        page.wait_for_timeout(100)


def test_the_page_loads_itself_again_as_work_is_done_and_one_that_was_told_to_stop_stays_as_it_is(server, watched):
    """One test for both: they wait for the same five seconds, and the page that was stopped is the older one."""
    stopped = watched()
    stopped.goto(f"{server.url}/api/database/")
    stopped.get_by_role("link", name="Stop that").click()
    stopped.wait_for_url("**/?refresh=off")
    stopped.evaluate("window.here = true")
    page = watched()
    page.goto(f"{server.url}/api/database/")
    before = total(page)
    server.do(work(server.state["db"], "page"))
    grows(page, before + 40)
    page.wait_for_timeout(1_000)
    assert stopped.evaluate("window.here") is True


def test_the_card_on_a_host_page_changes_as_work_is_done(server, watched):
    page = watched()
    page.goto(f"{server.url}/host")
    page.wait_for_selector("#soulspot-db-card")
    before = total(page)
    server.do(work(server.state["db"], "card"))
    grows(page, before + 40)
    assert page.evaluate("getComputedStyle(document.querySelector('.sdb-tiles')).display") == "grid"


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:20]))
def test_hostile_text_does_nothing_in_a_browser(server, watched, text):
    page = watched()
    server.state["hostile"] = render_page(*hostile_figures(text)).encode("utf-8", "replace").decode()
    page.goto(f"{server.url}/drawn/hostile")
    for summary in page.locator("summary").all():
        summary.click()
    page.locator(".sdb-status").hover()
    assert page.evaluate("document.querySelectorAll('script, img, iframe, style, [style]').length") == 0
    assert page.get_by_role("heading", level=1).inner_text() == "Database"


def test_a_hostile_statement_that_was_really_run_does_nothing(server, watched):
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000)"
    hostile = f"{numbers} SELECT '<img src=x onerror=alert(1)>', count(*) FROM n"
    server.do(server.state["db"]._engine.read(Statement(hostile)))
    page = watched()
    page.goto(f"{server.url}/api/database/?refresh=off")
    assert page.get_by_text("<img src=x onerror=alert(1)>").count() >= 1
    assert page.evaluate("document.images.length") == 0


# Each look, width and status comes once in the fast run, and each with every other one in `make test-all`.
LOOKS = [
    pytest.param(*look, marks=[] if look in {("ok", 1000, "light"), ("failing", 375, "dark")} else pytest.mark.slow)
    for look in itertools.product(("ok", "failing"), (1000, 375), ("light", "dark"))
]


@pytest.mark.parametrize(("status", "width", "scheme"), LOOKS)
def test_axe_finds_nothing_serious(server, watched, scheme, width, status):
    state = {
        "status": status,
        "checks": {**health()["checks"], "write": {"status": "fail", "latency_ms": 1001.0, "message": "locked"}},
    }
    server.state["all"] = render_page(figures(), health() if status == "ok" else state, seconds=5)
    page = watched(color_scheme=scheme, viewport={"width": width, "height": 800})
    page.goto(f"{server.url}/drawn/all")
    found = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in {"serious", "critical"}] == []


@pytest.mark.parametrize("text", ["", "x" * 3_000])
def test_a_phone_scrolls_down_and_never_sideways(server, watched, text):
    found = hostile_figures(text) if text else (figures(), health())
    server.state["phone"] = render_page(*found, seconds=5)
    page = watched(viewport={"width": 375, "height": 700})
    page.goto(f"{server.url}/drawn/phone")
    assert page.evaluate("document.documentElement.scrollWidth") == 375


def test_everything_that_can_be_opened_is_reached_by_keyboard(server, watched):
    server.state["keys"] = render_page(figures(), health(), seconds=5)
    page = watched()
    page.goto(f"{server.url}/drawn/keys")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    assert page.locator("details[open] pre").is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.innerText") == "Stop that"


def test_a_screen_reader_finds_a_table_with_its_columns_also_on_a_phone(server, watched):
    server.state["table"] = render_page(figures(), health(), seconds=5)
    for width in (1000, 375):
        page = watched(viewport={"width": width, "height": 800})
        page.goto(f"{server.url}/drawn/table")
        table = page.get_by_role("table", name="Slow queries, the slowest first")
        assert table.get_by_role("columnheader").count() == 4
        assert table.get_by_role("row").count() == 3
        assert page.get_by_role("status").inner_text().strip() == "Degraded"
        assert page.get_by_role("img", name="Hit rate in the last ten minutes").count() == 1


def test_a_card_asks_for_itself_as_htmx_reads_it():
    html = render_card(figures(), health(), root="/api/database")
    for attribute in ('hx-get="/api/database/card"', 'hx-trigger="every 5s"', 'hx-swap="outerHTML"', 'hx-select="#soulspot-db-card"'):  # fmt: skip
        assert attribute in html
