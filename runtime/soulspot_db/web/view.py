"""What the card says, in the order in which it says it: figures become text here, and templates only print."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from soulspot_db.web.sparkline import Sparkline, sparkline
from soulspot_db.web.words import ago, duration, milliseconds, number, percent, printable, size

__all__ = ["Details", "details", "verdict"]

_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_VERDICTS = {"ok": "Healthy", "degraded": "Degraded", "failing": "Failing"}
_MOST_SLOW = 10
_MOST_OPERATIONS = 6
_SHORT = 140  # characters of a statement, until it is opened


@dataclass(frozen=True, slots=True)
class Verdict:
    """The health: a word, what is wrong, and every check."""

    status: str
    label: str
    checks: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Tile:
    """One or two large figures, each with its unit, and what belongs to them."""

    label: str
    values: Sequence[tuple[str, str]]
    note: str
    curve: Sparkline | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the list at the end."""

    label: str
    value: str
    note: str = ""
    moment: str = ""


@dataclass(frozen=True, slots=True)
class Details:
    """All that is shown beside the health."""

    about: str
    tiles: Sequence[Tile]
    slow: Sequence[Mapping[str, str]]
    operations: Sequence[Mapping[str, str]]
    facts: Sequence[Fact] = field(default_factory=tuple)


def verdict(health: Mapping[str, Any]) -> Verdict:
    """The health in words; what is wrong comes first."""
    order = ("fail", "warn", "ok")
    checks = [
        {
            "name": name,
            "status": check["status"],
            "message": printable(check["message"], 400),
            "latency": milliseconds(check["latency_ms"]),
        }
        for name, check in sorted(health["checks"].items(), key=lambda item: order.index(item[1]["status"]))
    ]
    return Verdict(health["status"], _VERDICTS[health["status"]], checks)


def details(figures: Mapping[str, Any]) -> Details:
    """The figures in words."""
    database = figures["database"]
    kind, address = _NAMES[database["type"]], printable(database["address"], 200)
    return Details(
        about=f"{kind} at {address}, open for {duration(figures['uptime_s'])}",
        tiles=_tiles(figures),
        slow=[_slow(each) for each in figures["slow_queries"][:_MOST_SLOW]],
        operations=[_operation(each) for each in figures["operations"][:_MOST_OPERATIONS]],
        facts=_facts(figures),
    )


def _tiles(figures: Mapping[str, Any]) -> list[Tile]:
    queries, latency, connections, locks = (figures[key] for key in ("queries", "latency", "connections", "locks"))
    memory, redis = figures["cache"]["memory"], figures["cache"]["redis"]
    rates = [step["queries"] / step["seconds"] if step["seconds"] else 0.0 for step in figures["history"]]
    now = rates[-1] if rates else queries["total"] / max(figures["uptime_s"], 1.0)
    return [
        Tile(
            "Queries",
            [(number(now), "per second")],
            f"{number(queries['total'])} in all, {number(queries['slow_queries'])} slow",
            _rates(rates),
        ),
        Tile(
            "Latency",
            [(milliseconds(latency["p50_ms"]), "p50"), (milliseconds(latency["p95_ms"]), "p95")],
            f"p99 {milliseconds(latency['p99_ms'])}, longest {milliseconds(latency['max_ms'])}",
        ),
        Tile(
            "Hits in memory",
            [(percent(memory["hit_rate"]), "%")],
            f"{number(memory['size'])} of {number(memory['max_size'])} entries",
            _hits(figures["history"]),
        ),
        _redis(redis),
        Tile(
            "Connections",
            [(number(connections["active"]), f"of {number(connections['total'])} at work")],
            f"{number(connections['idle'])} idle, pool of {number(connections['max_pool_size'])}",
        ),
        Tile("Waited for a lock", [(number(locks["waited"]), "calls")], _locks(locks)),
    ]


def _redis(redis: Mapping[str, Any] | None) -> Tile:
    if redis is None:
        return Tile("Hits in Redis", [("off", "")], "CACHE is not set")
    note = "it cannot be reached" if redis["size"] is None else f"{number(redis['size'])} keys"
    return Tile("Hits in Redis", [(percent(redis["hit_rate"]), "%")], note)


def _locks(locks: Mapping[str, Any]) -> str:
    if locks["holder"]:
        return f"now held by {printable(locks['holder'], 120)}"
    return f"{milliseconds(locks['waited_ms'] / locks['waited'])} on average" if locks["waited"] else "nobody waited"


def _rates(rates: Sequence[float]) -> Sparkline | None:
    if not rates:
        return None
    top = max(rates)
    label = (
        f"Queries per second in the last ten minutes: {number(min(rates))} to {number(top)}, now {number(rates[-1])}"
    )
    return sparkline(rates, top=top, label=label)


def _hits(history: Sequence[Mapping[str, Any]]) -> Sparkline | None:
    shares = [step["hits"] / asked if (asked := step["hits"] + step["misses"]) else None for step in history]
    known = [share for share in shares if share is not None]
    if not known:
        return None
    ends = f"{percent(min(known))} to {percent(max(known))} per cent, now {percent(known[-1])}"
    return sparkline(shares, top=1.0, label=f"Hit rate in the last ten minutes: {ends}")


def _slow(query: Mapping[str, Any]) -> dict[str, str]:
    whole = printable(query["query"])
    line = " ".join(whole.split())
    return {
        "id": "soulspot-db-" + blake2b(query["query"].encode("utf-8", "replace"), digest_size=8).hexdigest(),
        "short": line if len(line) <= _SHORT else f"{line[: _SHORT - 1]}…",
        "whole": whole if len(line) > _SHORT else "",
        "count": number(query["count"]),
        "average": milliseconds(query["avg_time_ms"]),
        "longest": milliseconds(query["max_time_ms"]),
        "place": _place(query["place"] or ""),
        "advice": printable(query["advice"] or "", 1_000),
    }


def _place(place: str) -> str:
    """The end of a path; where on the machine the program lies is of no interest here."""
    parts = re.split(r"[/\\]", place)
    return printable(("…/" if len(parts) > 2 else "") + "/".join(parts[-2:]), 200)


def _operation(row: Mapping[str, Any]) -> dict[str, str]:
    return {
        "entity": printable(row["entity"], 120),
        "operation": printable(row["operation"], 120),
        "count": number(row["count"]),
        "p50": milliseconds(row["p50_ms"]),
        "p95": milliseconds(row["p95_ms"]),
        "errors": number(row["errors"]),
    }


def _facts(figures: Mapping[str, Any]) -> list[Fact]:
    events, transactions, database = figures["events"], figures["transactions"], figures["database"]
    revision, head = figures["migration"]["revision"], figures["migration"]["head"]
    state = "the code needs " + printable(head, 80) if head and revision != head else "up to date" if head else ""
    backup, error = figures["backup"], figures["last_error"]
    facts = [
        Fact(
            "Events pending",
            number(events["pending"]),
            f"{number(events['handled'])} handled, {number(events['failed'])} failed",
        ),
        Fact(
            "Transactions open",
            number(transactions["open"]),
            f"{number(transactions['committed'])} committed, {number(transactions['rolled_back'])} rolled back",
        ),
        Fact("Last migration", printable(revision or "none", 80), state),
        Fact("Last backup", ago(backup["at"]), printable(backup["file"], 200), backup["at"])
        if backup
        else Fact("Last backup", "none"),
        Fact("Last error", printable(error["code"], 80), ago(error["at"])) if error else Fact("Last error", "none"),
    ]
    if database["size_bytes"] is not None:
        log = "" if database["wal_bytes"] is None else f"and {size(database['wal_bytes'])} of write-ahead log"
        facts.append(Fact("Size", size(database["size_bytes"]), log))
    return facts
