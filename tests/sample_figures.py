"""Figures of a database, as `stats(detail="full")` and `health()` give them, for tests of what is made of them."""

from copy import deepcopy
from typing import Any

__all__ = ["HOSTILE", "figures", "health", "hostile_figures"]

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{7*7}}{% for x in y %}",
    "</table></section><iframe src=//elsewhere.test>",
    "javascript:alert(1)",
    "nul \0 and bell \a",
    "right \u202eto left\u2066",
    "half a pair \ud800",
    "x" * 10_000,
    "<b>" * 3_000,
]


_OPERATION = {"rows": 0, "p99_ms": 3.0, "max_ms": 9.5, "waiting_ms": 0.02, "running_ms": 0.1}
_FIGURES: dict[str, Any] = {
    "connections": {"active": 2, "idle": 9, "total": 11, "max_pool_size": 10},
    "cache": {"memory": {"hit_rate": 0.9624, "size": 1_812, "max_size": 9_000}, "redis": {"hit_rate": 0.71, "size": 12_300}},
    "queries": {"total": 84_211, "slow_queries": 14, "average_time_ms": 0.311},
    "top_slow_queries": [{"query": "SELECT name FROM tracks ORDER BY title", "count": 3, "avg_time_ms": 1200.0}],
    "uptime_s": 12_000.0,
    "database": {"type": "sqlite", "address": "soulspot.db", "size_bytes": 48_300_000, "wal_bytes": 1_200_000},
    "operations": [
        {**_OPERATION, "entity": "track", "operation": "query", "count": 9_000, "hits": 10, "errors": 0, "p50_ms": 0.6, "p95_ms": 2.4},
        {**_OPERATION, "entity": "download", "operation": "update", "count": 812, "hits": 0, "errors": 2, "p50_ms": 1.1, "p95_ms": 4.0},
        {**_OPERATION, "entity": "", "operation": "transaction", "count": 120, "hits": 0, "errors": 1, "p50_ms": 3.0, "p95_ms": 12.0},
    ],
    "latency": {"p50_ms": 0.12, "p95_ms": 1.8, "p99_ms": 6.4, "max_ms": 1_430.0},
    "history": [
        {
            "at": f"2026-11-27T10:{number // 6:02}:{number % 6}0+00:00",
            "seconds": 10.0,
            "queries": 900 + 40 * (number % 7) + 15 * number,
            "hits": 0 if number in (20, 21) else 800 + 20 * (number % 5),
            "misses": 0 if number in (20, 21) else 40 + 11 * (number % 9),
            "errors": 0,
            "waiting_ms": 1.0,
        }
        for number in range(48)
    ],
    "slow_queries": [
        {
            "query": "SELECT t.id, t.title, t.artist_id FROM library_tracks AS t WHERE t.title LIKE ? ORDER BY t.added_at DESC",
            "count": 12,
            "avg_time_ms": 1_240.0,
            "max_time_ms": 1_430.0,
            "place": "library/scan.py:88",
            "advice": "it reads the whole table; add to schemas/library/track.yaml: indexes: [{fields: [added_at desc]}]",
        },
        {
            "query": "SELECT d.id, d.username, d.filepath, d.status, d.progress, d.created_at, d.updated_at, d.error FROM soulseek_downloads AS d"
            "\nWHERE d.status IN (?, ?) AND d.username = ? ORDER BY d.progress DESC, d.created_at ASC LIMIT ?",
            "count": 2,
            "avg_time_ms": 1_020.0,
            "max_time_ms": 1_031.0,
            "place": None,
            "advice": None,
        },
    ],
    "locks": {"waited": 37, "waited_ms": 412.0, "holder": None},
    "transactions": {"open": 1, "committed": 6_120, "rolled_back": 4},
    "events": {"pending": 3, "handled": 18_400, "failed": 0},
    "migration": {"revision": "9c41d07be2aa", "head": "9c41d07be2aa"},
    "backup": {"file": "soulspot.20261127T030000.000000Z.db", "at": "2026-11-27T03:00:00+00:00"},
    "last_error": {"code": "DATABASE_CONSTRAINT_VIOLATION", "at": "2026-11-27T04:00:00+00:00"},
}  # fmt: skip
_HEALTH: dict[str, Any] = {
    "status": "degraded",
    "checks": {
        "read": {"status": "ok", "latency_ms": 0.21, "message": "a statement was answered"},
        "write": {"status": "ok", "latency_ms": 0.44, "message": "a transaction could begin and write"},
        "migration": {"status": "ok", "latency_ms": 0.2, "message": "at revision 9c41d07be2aa"},
        "pool": {"status": "ok", "latency_ms": 0.01, "message": "2 of 11 at work"},
        "disk": {"status": "warn", "latency_ms": 0.3, "message": "31.0 MB are free, less than a backup needs"},
    },
}


def figures(**changes: Any) -> dict[str, Any]:
    """All figures, with some of them changed."""
    return {**deepcopy(_FIGURES), **changes}


def health(**changes: Any) -> dict[str, Any]:
    """A report with one warning."""
    return {**deepcopy(_HEALTH), **changes}


def hostile_figures(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both, with this text wherever others wrote some."""
    found = figures()
    found["database"]["address"] = text
    found["operations"][0].update(entity=text, operation=text)
    found["slow_queries"][0].update(query=text, place=text, advice=text)
    found["locks"]["holder"] = text
    found["migration"] = {"revision": text, "head": f"{text}!"}
    found["backup"]["file"] = text
    found["last_error"]["code"] = text
    checks = {"write": {"status": "fail", "latency_ms": 1.0, "message": text}, text: health()["checks"]["read"]}
    return found, health(status="failing", checks=checks)
