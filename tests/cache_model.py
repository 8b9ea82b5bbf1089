"""A model of the cache's two tiers: programs that read and write one row, every order of their steps explored.

It follows `cache/shared.py`, `cache/tier.py` and `commit.py` step by step; a step is what nothing else can come in between of.
Time is counted in ticks of `cache_recheck`: a look at stamps is good within its tick.

Promised is, of a read: it returns something committed, and at least what its own program had acknowledged before it began, and what others had, if they reached
Redis, before the tick in which it began; and in a program that writes alone, nothing older than what any read had returned before
it began.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["LARGE_SCENES", "MISTAKES", "SCENES", "Scene", "explore"]

MISTAKES = {
    "delete-only": "a write deletes the answer, and answers have no stamps",
    "late stamp": "stamps are noted after the database was read",
    "counter": "stamps are numbers, and start again where they were evicted",
    "flight not forgotten": "whoever asks joins the load that is under way, whenever it began",
    "early invalidation": "a write voids what is kept before its COMMIT",
    "transaction cached": "what a transaction reads is kept as well",
    "savepoint forgotten": "a write that was done in a savepoint voids nothing",
    "early clear": "a row is clean again before its stamp is dropped",
    "late re-check": "an entry that is due is given the stamps that are found",
    "no re-check": "entries are never due",
    "nothing owed": "a stamp that could not be dropped is forgotten",
    "owed too late": "what is owed is dropped after the look-up that goes with it",
    "one Redis for all": "the run of Redis is not part of its keys",
    "kept while dirty": "an answer is kept though a write was under way",
}


@dataclass(frozen=True)
class Scene:
    """How many there are of everything: who reads, by program, who writes, and what may happen to Redis and to time."""

    programs: int
    readers: tuple[int, ...]
    writers: tuple[int, ...]
    ticks: int = 0
    evictions: int = 0
    losses: int = 0
    rolls_back: bool = False


SCENES = {
    "a writer and three readers in one program": Scene(1, (0, 0, 0), (0,), evictions=1),
    "two writers and two readers in one program": Scene(1, (0, 0), (0, 0)),
    "readers beside another program's writer": Scene(2, (1, 1, 1), (0,), ticks=1),
    "readers of each beside a writer": Scene(2, (0, 1), (0,), ticks=1),
    "a reader beside a writer of each": Scene(2, (1,), (0, 1), ticks=1),
    "a Redis that forgets, and a writer": Scene(2, (1, 1), (0,), ticks=1, evictions=1),
    "a Redis that forgets, and two writers": Scene(2, (1,), (0, 0), ticks=1, evictions=1),
    "a Redis that is lost and found": Scene(2, (1, 1), (0,), ticks=1, losses=1),
    "a Redis that is lost and found by a program alone": Scene(1, (0, 0), (0,), losses=1),
    "a transaction that is rolled back": Scene(1, (0, 0), (0,), rolls_back=True),
}

# Several of the above at once.
LARGE_SCENES = {
    "readers beside a writer of each": Scene(2, (0, 1), (0, 1), ticks=1),
    "a Redis that forgets, and two writers and two readers": Scene(2, (1, 1), (0, 0), ticks=1, evictions=1),
}


class Program(NamedTuple):
    generation: int = 0
    dirty: int = 0
    entry: tuple[int, Any, int, int] | None = None  # generation, stamp, version, tick of the look
    owes: bool = False
    acknowledged: int = 0
    returned: int = 0
    flights: tuple[tuple[Any, int | None], ...] = ()  # what it is known by, and its answer once it has one


class World(NamedTuple):
    programs: tuple[Program, ...]
    readers: tuple[tuple[Any, ...], ...]
    writers: tuple[tuple[Any, ...], ...]
    version: int = 0  # in the database
    stamp: Any = None
    kept: tuple[Any, int] | None = None  # the answer in Redis: stamp, version
    fresh: int = 1  # the next stamp
    up: bool = True
    saved: tuple[Any, Any] | None = None  # stamp and answer, as Redis would have them after a restart
    tick: int = 0
    told: int = 0  # acknowledged by anybody who reached Redis
    told_before: int = 0  # the same before this tick
    ticks: int = 0
    evictions: int = 0
    losses: int = 0


class Model:
    def __init__(self, scene: Scene, mistake: str | None) -> None:
        self.scene = scene
        self.mistake = mistake
        self.no_stamp = 0 if mistake == "counter" else None
        # Which readers and which writers there are of each program.
        self.parts = [
            tuple([at for at, of in enumerate(group) if of == number] for group in (scene.readers, scene.writers))
            for number in range(scene.programs)
        ]
        self.alike = [(len(readers), len(writers)) for readers, writers in self.parts]

    def start(self) -> World:
        scene = self.scene
        return World(
            programs=(Program(),) * scene.programs,
            readers=tuple(("start",) for _ in scene.readers),
            writers=tuple(("start",) for _ in scene.writers),
            stamp=self.no_stamp,
            ticks=scene.ticks,
            evictions=scene.evictions,
            losses=scene.losses,
        )

    def plain(self, world: World) -> World:
        """The same world for all that differ in who is who: readers of one program do the same, and so do its writers,
        and so do programs that have as many of each. Any order will do as long as it is always the same.
        """
        each = [
            (
                program,
                sorted([world.readers[at] for at in readers], key=hash),
                sorted([world.writers[at] for at in writers], key=hash),
            )
            for program, (readers, writers) in zip(world.programs, self.parts, strict=True)
        ]
        if len(each) > 1 and len(set(self.alike)) == 1:
            each.sort(key=lambda one: hash((one[0], *one[1], *one[2])))
        readers, writers = list(world.readers), list(world.writers)
        for (_, reading, writing), (its_readers, its_writers) in zip(each, self.parts, strict=True):
            for at, state in zip(its_readers, reading, strict=True):
                readers[at] = state
            for at, state in zip(its_writers, writing, strict=True):
                writers[at] = state
        programs = tuple([program for program, _, _ in each])
        return world._replace(programs=programs, readers=tuple(readers), writers=tuple(writers))

    def steps(self, world: World) -> Iterator[tuple[str, World, tuple[int, int] | None]]:
        """Every step that can come next: its name, what becomes of the world, and for a read that returns what it must and does."""
        for number, reader in enumerate(world.readers):
            if reader[0] != "over":
                yield from self.read(world, number, self.scene.readers[number], reader)
        for number, writer in enumerate(world.writers):
            if writer[0] != "over":
                for name, after in self.write(world, number, self.scene.writers[number], writer):
                    yield f"writer {number} {name}", after, None
        for name, after in self.happens(world):
            yield name, after, None

    # What happens by itself.

    def happens(self, world: World) -> Iterator[tuple[str, World]]:
        if world.ticks:
            yield "tick", world._replace(ticks=world.ticks - 1, tick=world.tick + 1, told_before=world.told)
        left = world.evictions - 1
        if left >= 0 and world.stamp is not None:
            yield "stamp evicted", world._replace(evictions=left, stamp=self.no_stamp)
        if left >= 0 and world.kept is not None:
            yield "answer evicted", world._replace(evictions=left, kept=None)
        if self.mistake == "one Redis for all" and world.up and world.saved is None:  # or nobody comes back to it
            yield "saved", world._replace(saved=(world.stamp, world.kept))
        if world.losses and world.up:
            yield "lost", world._replace(losses=world.losses - 1, up=False)
        if not world.up:
            yield "found", world._replace(up=True)
            stamp, kept = (self.no_stamp, None)
            if self.mistake == "one Redis for all" and world.saved is not None:
                stamp, kept = world.saved
            yield "restarted", world._replace(up=True, stamp=stamp, kept=kept)
        for number, program in enumerate(world.programs):
            if program.owes and world.up:
                yield f"program {number} drops what it owes", self.settled(world, number)

    def settled(self, world: World, at: int) -> World:
        """Before anything else is asked of Redis."""
        if not world.programs[at].owes:
            return world
        return self.dropped(self.at(world, at, owes=False))

    def dropped(self, world: World) -> World:
        if self.mistake == "delete-only":
            return world._replace(kept=None)
        if self.mistake == "counter":
            return world._replace(stamp=world.stamp + 1)
        return world._replace(stamp=None)

    @staticmethod
    def at(world: World, number: int, **changes: Any) -> World:
        programs = list(world.programs)
        programs[number] = programs[number]._replace(**changes)
        return world._replace(programs=tuple(programs))

    # One write.

    def write(self, world: World, number: int, at: int, writer: tuple[Any, ...]) -> Iterator[tuple[str, World]]:
        def go(after: World, *state: Any) -> World:
            writers = list(after.writers)
            writers[number] = state
            return after._replace(writers=tuple(writers))

        for name, after, *state in getattr(self, f"write_{writer[0]}")(world, at, world.programs[at], *writer[1:]):
            yield name, go(after, *state)

    def write_start(self, world: World, at: int, program: Program) -> Iterator[Any]:
        marked = self.at(world, at, dirty=program.dirty + 1)
        if self.mistake == "early invalidation":
            touched = self.at(marked, at, generation=program.generation + 1)
            marked = self.dropped(touched) if world.up else touched
        yield "marks", marked, "marked"
        if self.scene.rolls_back:
            # A transaction that has not been committed marks nothing yet; what it reads it does not keep.
            if self.mistake == "transaction cached" and not program.dirty:
                noted = self.noted(world)
                entry = (program.generation, noted.stamp, world.version + 1, world.tick)
                yield "reads what it wrote", self.at(noted, at, entry=entry), "wrote"
            yield "rolls back", world, "over"

    def write_wrote(self, world: World, at: int, program: Program) -> Iterator[Any]:
        yield "rolls back", world, "over"

    def write_marked(self, world: World, at: int, program: Program) -> Iterator[Any]:
        version = world.version + 1
        yield "commits", world._replace(version=version), "committed", version

    def write_committed(self, world: World, at: int, program: Program, version: int) -> Iterator[Any]:
        if self.mistake in {"early invalidation", "savepoint forgotten"}:
            yield "touches nothing", world, "dropped", version, world.up
        else:
            cleared = program.dirty - 1 if self.mistake == "early clear" else program.dirty
            touched = self.at(world, at, generation=program.generation + 1, dirty=cleared)
            yield "touches", touched, "touched", version

    def write_touched(self, world: World, at: int, program: Program, version: int) -> Iterator[Any]:
        if world.up:
            yield "drops", self.dropped(self.settled(world, at)), "dropped", version, True
            if self.scene.losses:  # and hears nothing of it
                yield "drops unheard", self.at(self.dropped(world), at, owes=True), "dropped", version, False
        else:
            owes = self.mistake != "nothing owed"
            yield "owes", self.at(world, at, owes=program.owes or owes), "dropped", version, False

    def write_dropped(self, world: World, at: int, program: Program, version: int, told: bool) -> Iterator[Any]:
        cleared = program.dirty if self.mistake == "early clear" else program.dirty - 1
        yield "clears", self.at(world, at, dirty=cleared), "cleared", version, told

    def write_cleared(self, world: World, at: int, program: Program, version: int, told: bool) -> Iterator[Any]:
        known = self.at(world, at, acknowledged=max(program.acknowledged, version))
        yield "acknowledges", known._replace(told=max(world.told, version) if told else world.told), "over"

    # One read: the name of each step, the world after it, and what comes next or is returned.

    def read(
        self, world: World, number: int, at: int, reader: tuple[Any, ...]
    ) -> Iterator[tuple[str, World, tuple[int, int] | None]]:
        for name, after, *state in getattr(self, f"read_{reader[0]}")(world, at, world.programs[at], *reader[1:]):
            seen, answer, later = after, None, tuple(state)
            if state[0] == "return":
                answer, later = (state[1], state[2]), tuple(state[3:]) or ("over",)
                if self.scene.programs == 1:  # where it is promised something
                    seen = self.at(after, at, returned=max(after.programs[at].returned, state[2]))
            readers = list(seen.readers)
            readers[number] = later
            yield f"reader {number} {name}", seen._replace(readers=tuple(readers)), answer

    def lasts(self, program: Program, generation: int) -> bool:
        return generation == program.generation and not program.dirty

    def noted(self, world: World) -> World:
        return world if world.stamp is not None else world._replace(stamp=world.fresh, fresh=world.fresh + 1)

    def read_start(self, world: World, at: int, program: Program) -> Iterator[Any]:
        need = max(program.acknowledged, world.told_before)
        if self.scene.programs == 1:
            need = max(need, program.returned)
        entry, generation = program.entry, program.generation
        if program.dirty:
            yield "finds it dirty", world, "database", need, None
        elif entry is None or entry[0] != generation:
            yield "misses", world, "look", need, generation
        elif entry[3] == world.tick or self.mistake == "no re-check":
            yield "hits", world, "return", need, entry[2]
        else:
            yield "finds it due", world, "due", need, generation, entry

    def read_due(
        self, world: World, at: int, program: Program, need: int, generation: int, entry: Any
    ) -> Iterator[Any]:
        if not world.up:
            yield "cannot re-check", world, "database", need, None
            return
        after, stamp = self.settled(world, at), entry[1]
        same = after.stamp is not None and after.stamp == stamp
        if self.mistake == "delete-only":
            same = after.kept is not None
        elif self.mistake == "late re-check" and after.stamp is not None:
            stamp, same = after.stamp, True
        if not same or not self.lasts(program, generation):
            yield "finds it changed", after, "look", need, generation
            return
        if after.programs[at].entry == entry:
            after = self.at(after, at, entry=(entry[0], stamp, entry[2], world.tick))
        yield "re-checks", after, "return", need, entry[2]

    def read_look(self, world: World, at: int, program: Program, need: int, generation: int) -> Iterator[Any]:
        if not world.up:
            yield "cannot look", world, "database", need, None
            return
        after = self.settled(world, at)
        looked = world if self.mistake == "owed too late" else after
        kept = looked.kept
        if kept is not None and self.mistake != "delete-only" and kept[0] != looked.stamp:
            kept = None
        if kept is not None and (self.lasts(program, generation) or self.mistake == "kept while dirty"):
            entry = (program.generation, *kept, world.tick)
            yield "finds it in Redis", self.at(after, at, entry=entry), "return", need, kept[1]
        else:
            yield "does not find it", after, "note", need, generation

    def read_note(self, world: World, at: int, program: Program, need: int, generation: int) -> Iterator[Any]:
        if self.mistake == "late stamp":
            yield "notes nothing yet", world, "database", need, (generation, None, world.tick)
            return
        if not world.up:
            yield "cannot note", world, "database", need, None
            return
        after = self.noted(self.settled(world, at))
        if not self.lasts(program, generation) and self.mistake != "kept while dirty":
            yield "is overtaken", after, "database", need, None
            return
        known = "any" if self.mistake == "flight not forgotten" else (generation, after.stamp)
        if any(flight[0] == known for flight in program.flights):
            yield "joins", after, "join", need, known
        else:
            after = self.at(after, at, flights=(*program.flights, (known, None)))
            yield "notes", after, "database", need, (generation, after.stamp, world.tick, known)

    def read_join(self, world: World, at: int, program: Program, need: int, known: Any) -> Iterator[Any]:
        for flight in program.flights:
            if flight[0] == known and flight[1] is not None:
                yield "is answered", world, "return", need, flight[1]

    def read_database(self, world: World, at: int, program: Program, need: int, basis: Any) -> Iterator[Any]:
        yield "reads", world, "fill", need, basis, world.version

    def read_fill(self, world: World, at: int, program: Program, need: int, basis: Any, version: int) -> Iterator[Any]:
        after = world
        if basis is not None and self.mistake == "late stamp":
            after = self.noted(world)
            basis = (basis[0], after.stamp, basis[2]) if world.up else None
        if basis is not None and len(basis) > 3:
            flights = tuple(flight for flight in program.flights if flight[0] != basis[3])
            waiting = any(other[0] == "join" and other[2] == basis[3] for other in world.readers)
            after = self.at(after, at, flights=(*flights, (basis[3], version)) if waiting else flights)
        if basis is not None and (self.lasts(program, basis[0]) or self.mistake == "kept while dirty"):
            after = self.at(after, at, entry=(program.generation, basis[1], version, basis[2]))
            yield "keeps", after, "return", need, version, "send", basis[1], version
        else:
            yield "keeps nothing", after, "return", need, version

    def read_send(self, world: World, at: int, program: Program, stamp: Any, version: int) -> Iterator[Any]:
        yield "sends nothing", world, "over"
        if world.up:
            yield "sends", self.settled(world, at)._replace(kept=(stamp, version)), "over"


def explore(scene: Scene, mistake: str | None = None) -> tuple[int, list[str] | None]:
    """How many worlds there are, and the steps to one in which a read returned what it must not; None where there is none.

    Worlds that differ in who is who are one: the steps tell what is done, and number those who do it anew each time.
    """
    model = Model(scene, mistake)
    start = model.start()
    came: dict[World, tuple[World, str] | None] = {start: None}
    ahead = [start]
    while ahead:
        world = ahead.pop()
        for name, after, read in model.steps(world):
            if read is not None and not read[0] <= read[1] <= after.version:
                return len(came), [*_way(came, world), f"{name}: {read[1]} instead of {read[0]} to {after.version}"]
            plain = model.plain(after)
            if plain not in came:
                came[plain] = (world, name)
                ahead.append(plain)
    return len(came), None


def _way(came: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    names: list[str] = []
    while (step := came[world]) is not None:
        world, name = step
        names.append(name)
    return names[::-1]
