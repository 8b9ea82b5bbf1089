"""One of several programs that read and write the same rows, and write down what they did and saw: `python audited.py <how>`.

And the check of what they wrote down. All times are of one clock, which the programs of a machine share.
"""

import asyncio
import json
import random
import struct
import sys
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import support
from soulspot_db import Database, EntityRegistry

__all__ = ["Audit", "audit", "prepare"]

ROWS = 24
KINDS = ("row", "query", "rows", "natural key", "fresh row", "fresh query", "block")
WRITE = 100  # in place of a kind
UNTOLD = 101  # one of which Redis could not be told in time, on a machine that is busy: others may see it later
RECORD = struct.Struct("<BHqdd")  # kind, row, version, begin, end


def name(row: int) -> str:
    return f"row {row}"


async def prepare(db: Database) -> None:
    await db.save_many("counter", [{"name": name(row)} for row in range(ROWS)])
    await db.save_many("playlist", [{"name": name(row), "spotify_id": name(row)} for row in range(ROWS)])


class Program:
    def __init__(self, db: Database, log: Any, seed: int, reads: int) -> None:
        self._db = db
        self._log = log
        self._random = random.Random(seed)
        self._left = reads
        self._owed = 0
        tier = db.session.cache.tier
        owe = tier.owe

        def watched(names: Any) -> None:
            self._owed += 1
            owe(names)

        tier.owe = watched

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            writers = [group.create_task(self._write()) for _ in range(2)]
            readers = [group.create_task(self._read()) for _ in range(8)]
            await asyncio.wait(readers)
            for writer in writers:
                writer.cancel()

    async def _write(self) -> None:
        while True:
            row, began, owed = self._random.randrange(ROWS), time.monotonic(), self._owed
            version = await self._db.run_in_transaction(lambda tx, row=row: self._next(tx, row), attempts=50)
            self._note(WRITE if owed == self._owed else UNTOLD, row, version, began)
            await asyncio.sleep(self._random.random() * 0.01)

    async def _next(self, tx: Any, row: int) -> int:
        version = (await tx.get("counter", name(row)))["value"] + 1
        await tx.update("counter", name(row), {"value": version})
        if row % 3:
            await tx.update("playlist", name(row), {"track_count": version})
        else:
            async with tx.transaction():
                await tx.update_where("playlist", {"spotify_id": name(row)}, {"track_count": version})
        return version

    async def _read(self) -> None:
        while self._left > 0:
            self._left -= 1
            row, began = self._random.randrange(ROWS), time.monotonic()
            kind = self._random.choices(range(len(KINDS)), [60, 15, 5, 15, 2, 2, 1])[0]
            version = await self._seen(KINDS[kind], row)
            self._note(kind, row, version, began)
            if self._random.random() < 0.01:
                await asyncio.sleep(0.001)

    async def _seen(self, kind: str, row: int) -> int:
        db, asked = self._db, name(row)
        match kind:
            case "row" | "fresh row":
                return (await db.get("counter", asked, fresh=kind == "fresh row"))["value"]
            case "query" | "fresh query":
                found = await db.query("counter", {"name": asked}, fresh=kind == "fresh query")
                return found[0]["value"]
            case "rows":
                return (await db.get_many("counter", [asked, name((row + 1) % ROWS)]))[0]["value"]
            case "natural key":
                return (await db.get("playlist", asked))["track_count"]
            case _:
                async with db.transaction(read_only=True) as tx:
                    return (await tx.get("counter", asked))["value"]

    def _note(self, kind: int, row: int, version: int, began: float) -> None:
        self._log.write(RECORD.pack(kind, row, version, began, time.monotonic()))


@dataclass
class Audit:
    """What the programs did: reads of each kind, and those that returned less than they must; writes, and the untold."""

    reads: Counter[str] = field(default_factory=Counter)
    writes: int = 0
    untold: int = 0
    stale: list[tuple[str, int, int, int]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    def delay(self, share: float) -> float:
        """How long it took until the other programs saw a write, for this share of them."""
        delays = sorted(self.delays)
        return delays[min(int(len(delays) * share), len(delays) - 1)]


class _Acknowledged:
    """The versions of one row by the time they were acknowledged."""

    def __init__(self, writes: Sequence[tuple[float, int]]) -> None:
        self._times: list[float] = []
        self._versions: list[int] = []
        newest = 0
        for at, version in sorted(writes):
            newest = max(newest, version)
            self._times.append(at)
            self._versions.append(newest)

    def before(self, at: float) -> int:
        place = bisect_right(self._times, at)
        return self._versions[place - 1] if place else 0


def _records(path: Path) -> Iterator[tuple[int, int, int, float, float]]:
    return RECORD.iter_unpack(path.read_bytes())


def audit(logs: Sequence[Path], recheck: float) -> Audit:
    """Check every read in the programs' logs against all writes.

    It must return at least what its own program had acknowledged when it began. Of others, a fresh read or one in a block the
    same; any other what they had acknowledged `recheck` seconds before, and told Redis of.
    """
    found = Audit()
    own = [_writes(log, {WRITE, UNTOLD}) for log in logs]
    told = _together([_writes(log, {WRITE}) for log in logs])
    stored = _together(own)
    found.writes = sum(map(len, stored.values()))
    found.untold = found.writes - sum(map(len, told.values()))
    of_all = {row: _Acknowledged(stored[row]) for row in range(ROWS)}
    of_told = {row: _Acknowledged(told[row]) for row in range(ROWS)}
    for at, log in enumerate(logs):
        of_own = {row: _Acknowledged(own[at][row]) for row in range(ROWS)}
        first: dict[tuple[int, int], float] = {}
        for kind, row, version, began, _ in _records(log):
            if kind in {WRITE, UNTOLD}:
                continue
            name_ = KINDS[kind]
            found.reads[name_] += 1
            asks_database = name_.startswith("fresh") or name_ == "block"
            of_others = of_all[row].before(began) if asks_database else of_told[row].before(began - recheck)
            needed = max(of_own[row].before(began), of_others)
            if version < needed:
                found.stale.append((name_, row, version, needed))
            first.setdefault((row, version), began)
        found.delays += _delays(first, told, own[at])
    return found


def _writes(log: Path, kinds: set[int]) -> dict[int, list[tuple[float, int]]]:
    writes: dict[int, list[tuple[float, int]]] = {row: [] for row in range(ROWS)}
    for kind, row, version, _, end in _records(log):
        if kind in kinds:
            writes[row].append((end, version))
    return writes


def _together(some: Sequence[dict[int, list[tuple[float, int]]]]) -> dict[int, list[tuple[float, int]]]:
    return {row: [write for writes in some for write in writes[row]] for row in range(ROWS)}


def _delays(first: dict[tuple[int, int], float], everybody: Any, own: Any) -> Iterator[float]:
    """From the acknowledgement of each write of others to the first read that saw it."""
    for row, writes in everybody.items():
        mine = set(own[row])
        for end, version in writes:
            if (end, version) not in mine and (seen := first.get((row, version))) is not None:
                yield max(seen - end, 0.0)


async def main(how: dict[str, Any], log: Any) -> None:
    EntityRegistry.register("counter", support.CounterSchema)
    EntityRegistry.register("playlist", support.PlaylistSchema)
    async with Database(support.settings(**how["settings"])) as db:
        await Program(db, log, how["seed"], how["reads"]).run()
        assert (await db.stats())["cache"]["redis"]["hit_rate"] > 0  # or it was no part of this


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    with Path(given["log"]).open("wb", buffering=1 << 16) as out:
        asyncio.run(main(given, out))
