"""The card prints figures as they are, and whatever others wrote as text."""

from html.parser import HTMLParser

import pytest
from sample_figures import HOSTILE, figures, health, hostile_figures
from soulspot_db import DatabaseError
from soulspot_db.web.card import render_card, render_page
from soulspot_db.web.sparkline import sparkline
from soulspot_db.web.words import duration, milliseconds, number, percent, printable, size


class Parsed(HTMLParser):
    """Tags with their attributes, and text, as a browser would find them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


TAGS = {
    *("link", "section", "header", "div", "h1", "h2", "h3", "p", "svg", "circle", "path", "dl", "dt", "dd", "b", "span", "table"),
    *("caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "code", "pre", "small", "time", "ul", "li", "bdi", "wbr"),
    *("html", "head", "meta", "title", "body", "main", "footer", "a"),
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:20]))
@pytest.mark.parametrize("render", [render_card, render_page])
def test_hostile_text_is_text(render, text):
    html = render(*hostile_figures(text))
    parsed = Parsed(html)
    assert {tag for tag, _ in parsed.tags} <= TAGS
    assert [each for _, each in parsed.tags if any(name.startswith("on") or name == "style" for name in each)] == []
    plain = Parsed(render(figures(), health()))
    assert [each.get("href") for each in parsed.all("a")] == [each.get("href") for each in plain.all("a")]
    assert printable(text, 20)[:15] in parsed.text
    assert "49" not in parsed.text.partition("Operations")[2].partition("State")[0] or "{{7*7}}" in parsed.text
    assert len(html) < 150_000


def test_an_error_in_the_place_of_figures_is_text_too():
    html = render_card(DatabaseError("<script>alert(1)</script>"), health())
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "Checks" in html


@pytest.mark.parametrize("text", ["a\0b", "a\u202eb", "a\ud800b", "a\u2028b", "a\x9bb", "a\ufeffb"])
def test_what_cannot_be_seen_is_spelt_out(text):
    shown = printable(text)
    assert shown == f"a\\u{ord(text[1]):04x}b"
    shown.encode("utf-8")


def test_what_is_long_is_cut_and_says_so():
    assert printable("x" * 100, 10) == "xxxxxxxxx…"
    assert printable("x" * 10, 10) == "x" * 10


def test_the_card_has_no_script_and_no_style_of_its_own():
    for html in (render_card(figures(), health()), render_page(figures(), health())):
        parsed = Parsed(html)
        assert not {"script", "style"} & {tag for tag, _ in parsed.tags}
        assert [each for _, each in parsed.tags if "style" in each] == []


def test_every_figure_is_on_the_card():
    text = Parsed(render_card(figures(), health())).text
    for shown in (
        *("SQLite at soulspot.db, open for 3 h", "96.2", "1,812 of 9,000 entries", "71.0", "12,300 keys"),
        *("0.12 ms", "1.8 ms", "p99 6.4 ms", "of 11 at work", "84,211 in all, 14 slow", "11 ms on average"),
        *("t.title LIKE ?", "library/scan.py:88", "indexes: [{fields: [added_at desc]}]", "1.2 s"),
        *(
            "track.query",
            "9,000",
            "18,400 handled",
            "9c41d07be2aa",
            "up to date",
            "soulspot.20261127T030000.000000Z.db",
        ),
        *("DATABASE_CONSTRAINT_VIOLATION", "48.3 MB", "31.0 MB are free", "Degraded"),
    ):
        assert shown in text


def test_of_the_place_of_a_statement_its_end_is_shown():
    queries = [{**figures()["slow_queries"][0], "place": "/home/somebody/soulspot/library/scan.py:88"}]
    html = render_card(figures(slow_queries=queries), health())
    assert "…/library/scan.py:88" in html
    assert "somebody" not in html


def test_what_is_off_or_not_known_is_said():
    found = figures(backup=None, last_error=None, slow_queries=[], history=[], operations=[])
    found["cache"]["redis"] = None
    found["migration"] = {"revision": None, "head": None}
    found["database"].update(size_bytes=None, wal_bytes=None, type="postgresql")
    text = Parsed(render_card(found, health())).text
    for shown in ("PostgreSQL at", "CACHE is not set", "None so far.", "none"):
        assert shown in text
    assert "Size" not in text


def test_a_database_behind_the_code_and_a_lost_redis_are_said():
    found = figures(
        migration={"revision": "old", "head": "new"}, locks={"waited": 0, "waited_ms": 0.0, "holder": "task 7"}
    )
    found["cache"]["redis"] = {"hit_rate": 0.5, "size": None}
    text = Parsed(render_card(found, health())).text
    assert "the code needs new" in text
    assert "it cannot be reached" in text
    assert "now held by task 7" in text


def test_at_most_ten_slow_queries_are_shown_and_long_ones_can_be_opened():
    query = figures()["slow_queries"][0]
    queries = [{**query, "query": f"SELECT {number} FROM {'long_' * 100}"} for number in range(50)]
    parsed = Parsed(render_card(figures(slow_queries=queries), health()))
    assert len(parsed.all("details")) == 10
    ids = [each["id"] for each in parsed.all("details")]
    assert len(set(ids)) == 10
    assert all(each["hx-preserve"] == "true" for each in parsed.all("details"))


def test_each_check_says_its_state_in_a_word_and_what_is_wrong_comes_first():
    checks = {
        "read": {"status": "ok", "latency_ms": 1.0, "message": "fine"},
        "disk": {"status": "warn", "latency_ms": 1.0, "message": "little"},
        "write": {"status": "fail", "latency_ms": 1.0, "message": "locked"},
    }
    text = Parsed(render_card(figures(), health(status="failing", checks=checks))).text
    assert "Failing" in text
    assert [text.index(word) for word in (": fail.", ": warn.", ": ok.")] == sorted(
        text.index(word) for word in (": fail.", ": warn.", ": ok.")
    )


def test_headings_go_down_one_level_at_a_time():
    for render, top in ((render_card, 2), (render_page, 1)):
        levels = [int(tag[1]) for tag, _ in Parsed(render(figures(), health())).tags if tag in {"h1", "h2", "h3"}]
        assert levels[0] == top
        assert set(levels[1:]) == {top + 1}


def test_a_curve_has_gaps_and_stays_inside():
    curve = sparkline([0.0, 2.0, None, 1.0, 0.5], top=1.0, label="x")
    assert curve.line.count("M") == 2
    heights = [float(point.split(",")[1]) for point in curve.line.replace("M", "").split()]
    assert min(heights) == 1.5
    assert max(heights) == 26.5
    assert sparkline([1.0], top=1.0, label="x") is None
    assert sparkline([None, None], top=1.0, label="x") is None
    assert sparkline([0.0, 0.0], top=0.0, label="x").line.count(",26.5") == 2


def test_numbers_and_times_are_short():
    assert [number(value) for value in (0, 3, 3.25, 12.6, 84_211)] == ["0", "3", "3.2", "13", "84,211"]
    assert [percent(value) for value in (0.0, 0.5, 0.99999, 1.0)] == ["0.0", "50.0", "99.9", "100.0"]
    assert [milliseconds(value) for value in (0.123, 1.26, 45.4, 1_430)] == ["0.12 ms", "1.3 ms", "45 ms", "1.4 s"]
    assert [duration(value) for value in (-1, 5, 90, 7_300, 400_000)] == ["0 s", "5 s", "1 min", "2 h", "4 d"]
    assert [size(value) for value in (5, 48_300_000, 2 * 10**12)] == ["5 B", "48.3 MB", "2.0 TB"]
