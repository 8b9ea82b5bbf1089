"""The cached answers of one entity over two tiers: in memory, and in Redis, which all programs share."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from soulspot_db.cache.names import answer_name, stamp_names
from soulspot_db.cache.region import MISS, Basis, CacheRegion, Entry, Load, LoadMany
from soulspot_db.cache.stamps import Moment, Stamps
from soulspot_db.cache.tags import Tag
from soulspot_db.cache.tier import SecondTier
from soulspot_db.cache.trust import Trust
from soulspot_db.cache.values import pack, unpack
from soulspot_db.engine.base import Rows
from soulspot_db.errors import QueryFailedError
from soulspot_db.fairness import Turns

__all__ = ["SharedRegion"]

T = TypeVar("T")
_TOGETHER = 256  # entries that are looked at with one that is due
_SHORT = 0.05  # seconds; where every read looks, it looks for itself


class SharedRegion(CacheRegion):
    """Entries of one entity, each with the stamps of the second tier from before it was read.

    As long as somebody has looked at these within `recheck` seconds, an entry is a hit as if there were no other tier; later,
    once they are found unchanged. While nobody can look, everything comes from the database and nothing is kept.

    Args:
        stamps: as of a region alone.
        trust: as of a region alone.
        turns: as of a region alone.
        tier: the second tier.
        ttl: seconds that an entry may be served, by each tier, at most.
        max_size: how many entries are kept here; 0 keeps none, there as well.
        recheck: seconds for which a look at stamps is good.
        schema: how rows are read; programs that read them in another way keep others.
        shares: whether answers are kept in the second tier. Stamps are there in any case.
    """

    def __init__(
        self,
        stamps: Stamps,
        trust: Trust,
        turns: Turns,
        tier: SecondTier,
        *,
        ttl: float,
        max_size: int,
        recheck: float,
        schema: bytes,
        shares: bool,
    ) -> None:
        super().__init__(stamps, trust, turns, ttl=ttl, max_size=max_size)
        self._tier = tier
        self._recheck = recheck
        self._schema = schema
        self._shares = shares
        # When somebody last looked at the stamps of an entry, in that order.
        self._looks: OrderedDict[Hashable, tuple[float, Entry]] = OrderedDict()

    def forget(self) -> None:
        """Forget every entry."""
        super().forget()
        self._looks.clear()

    def __len__(self) -> int:
        now = time.monotonic()
        return sum(entry.basis is not None and now < entry.basis.expires for entry in self._entries.values())

    async def kept(self, key: Hashable) -> Any:
        """The answer to `key` as it is kept and valid, after a look at its stamps if one is due, else MISS."""
        entry = await self._renewed(key)
        return MISS if entry is None else entry.value

    def is_ready(self, *, fresh: bool) -> bool:  # noqa: ARG002 - as a region alone has it
        """False: what is read must be kept with stamps from before it was."""
        return False

    async def read(
        self,
        key: Hashable,
        tags: Collection[Tag],
        load: Load[T],
        *,
        narrow: Callable[[T], Collection[Tag] | None] | None = None,
        fresh: bool = False,
    ) -> T:
        """The answer to `key`, from memory, from the second tier, or by `load`; arguments as of a region alone."""
        is_known = self._enabled and not fresh and await self._trust.renewed()
        moment = self._stamps.now(tags)
        names = _names(tags) if self._enabled and moment.lasts() else None
        if names is None:
            self.misses += 1
            return await load()
        if is_known and (entry := await self._renewed(key)) is not None:
            self.hits += 1
            if self._turns.are_due():
                await asyncio.sleep(0)
            known: T = entry.value
            return known
        self.misses += 1
        question = _Question(key, moment, names, load, narrow, self._place(load) if narrow is None else None)
        basis = None
        if is_known and question.place is not None:
            answer, basis = await self._shared(question, question.place)
            if answer is not MISS:
                self.shared_hits += 1
                shared: T = answer
                return shared
            self.shared_misses += 1
        basis = basis or await self._noted(names)
        if basis is None or not moment.lasts():
            return await load()

        async def through() -> T:
            rows = await load.rows()
            answer = await load.answer(rows)
            await self._fill(question, basis, answer, rows)
            return answer

        # The stamps are part of the flight, as the generation is: nobody joins a load from before a write of another program.
        return await (self._load_once((key, moment.generation, basis.stamps), through) if is_known else through())

    async def _renewed(self, key: Hashable) -> Entry | None:
        """The entry of a key, if it may be served, after a look at its stamps if one is due."""
        entry = self._entries.get(key)
        if entry is None or entry.basis is None or not entry.moment.lasts():
            return None
        now = time.monotonic()
        if now < entry.ends:
            return entry
        if now >= entry.basis.expires:
            return None
        await self._look_again({key: entry, **self._due_soon(now)}, now)
        return entry if entry.moment.lasts() and entry.ends >= now else None

    async def _look_again(self, entries: Mapping[Hashable, Entry], now: float) -> None:
        """Look at the stamps of entries, and renew those that are unchanged."""
        bases = {key: entry.basis for key, entry in entries.items() if entry.basis is not None}
        names = list(dict.fromkeys(name for basis in bases.values() for name in basis.names))
        found = await self._tier.look_up(names)
        if found is None:
            return
        stamps = dict(zip(names, found, strict=True))
        for key, basis in bases.items():
            if all(stamps[name] == stamp for name, stamp in zip(basis.names, basis.stamps, strict=True)):
                entries[key].ends = min(basis.expires, now + self._recheck)
                self._looked(key, entries[key], now)

    def _looked(self, key: Hashable, entry: Entry, when: float) -> None:
        """Note when somebody looked at the stamps of an entry, unless a later one has taken its place meanwhile."""
        if self._recheck >= _SHORT and when >= self._looks.get(key, (when,))[0]:
            self._looks[key] = when, entry
            self._looks.move_to_end(key)
            if len(self._looks) > self.room:
                self._looks.popitem(last=False)

    def _due_soon(self, now: float) -> dict[Hashable, Entry]:
        """Entries whose stamps may as well be looked at now: together with one, many cost next to nothing."""
        found: dict[Hashable, Entry] = {}
        while self._looks and len(found) < _TOGETHER:
            key, (when, entry) = next(iter(self._looks.items()))
            if when > now - self._recheck / 2:
                break
            del self._looks[key]
            if key in self._entries and entry.basis is not None and now < entry.basis.expires and entry.moment.lasts():
                found[key] = entry
        return found

    async def _noted(self, names: tuple[bytes, ...]) -> Basis | None:
        """The stamps of this moment, for an answer that is about to be read."""
        looked = time.monotonic()
        stamps = await self._tier.note(names)
        return None if stamps is None else Basis(self._expiry(), names, tuple(stamps), looked)

    async def _shared(self, question: "_Question[T]", place: bytes) -> tuple[Any, Basis | None]:
        """The answer that the second tier has kept, or MISS, and what answers of this moment rest on, if that is known."""
        looked, names = time.monotonic(), question.names
        found = await self._tier.look_up([place, *names])
        stamps = tuple([stamp for stamp in (found or ())[1:] if stamp is not None])
        if found is None or len(stamps) < len(names):
            return MISS, None
        basis = Basis(self._expiry(), names, stamps, looked)
        kept = None if found[0] is None else unpack(found[0])
        if kept is None or (kept.names, kept.stamps) != (names, stamps):
            return MISS, basis
        entry = self._entries.get(question.key)
        if entry is not None and _is_based_on(entry, stamps):
            answer = entry.value  # of many who asked at the same time, the first has read the rows
        else:
            answer = await _read(question.load, kept.rows)
        if answer is MISS or not question.moment.lasts():
            return MISS, basis
        self._put(question.key, question.moment, answer, basis)
        return answer, basis

    async def _fill(self, question: "_Question[T]", basis: Basis, answer: T, rows: Rows) -> None:
        """Keep an answer in both tiers, unless something it depends on was written since."""
        tags = question.narrowed(answer)
        narrow = basis if tags is None else await self._narrowed(tags, basis)
        if narrow is None or not question.moment.lasts():
            return
        # Nothing the wide tags stand for was written since, so nothing the narrow ones stand for was either.
        self._put(question.key, question.moment if tags is None else self._stamps.now(tags), answer, narrow)
        if question.place is not None and (data := pack(narrow.names, narrow.stamps, rows)) is not None:
            self._tier.keep(question.place, data, basis.expires - time.monotonic())

    async def _narrowed(self, tags: Collection[Tag], wide: Basis) -> Basis | None:
        """The stamps of fewer tags, where none of the many has changed since the answer was read; None where one has.

        A write drops all its stamps at once. So whoever finds those of the many unchanged knows the same of the few.
        """
        names = _names(tags)
        if names is None:
            return None
        looked = time.monotonic()
        stamps = await self._tier.note([*names, *wide.names])
        if stamps is None or tuple(stamps[len(names) :]) != wide.stamps:
            return None
        return Basis(wide.expires, names, tuple(stamps[: len(names)]), looked)

    def _put(self, key: Hashable, moment: Moment, value: Any, basis: Basis) -> None:
        entry = self._entries[key] = Entry(min(basis.expires, basis.looked + self._recheck), moment, value, basis)
        self._looked(key, entry, basis.looked)

    def _place(self, load: Load[Any]) -> bytes | None:
        if not self._shares:
            return None
        statement = load.statement()
        return answer_name(self._schema, statement.sql, statement.values)

    async def read_many(
        self,
        asked: Mapping[Hashable, Collection[Tag]],
        load: LoadMany[T],
        *,
        fresh: bool = False,
    ) -> dict[Hashable, T]:
        """The answers to several keys, from memory and the others by one `load`, which costs no more than asking for each there."""
        known = await self._known(asked) if self._enabled and not fresh and await self._trust.renewed() else {}
        missing = {key: self._stamps.now(tags) for key, tags in asked.items() if key not in known}
        answers: dict[Hashable, T] = {}
        if missing:
            bases = await self._noted_each({key: asked[key] for key in missing})
            answers = dict(await load(missing))
            if not all(entry.moment.lasts() for entry in known.values()):
                # What was loaded may be from after a write, and what was known is from before it.
                bases, known = {}, {}
                answers = dict(await load(asked))
            for key, basis in bases.items():
                if missing[key].lasts():
                    self._put(key, missing[key], answers[key], basis)
        elif self._turns.are_due():
            await asyncio.sleep(0)
        self.hits += len(known)
        self.misses += len(answers)
        return answers | {key: entry.value for key, entry in known.items()}

    async def _known(self, asked: Collection[Hashable]) -> dict[Hashable, Entry]:
        now = time.monotonic()
        found = {
            key: entry
            for key in asked
            if (entry := self._entries.get(key)) is not None and entry.basis is not None and now < entry.basis.expires
        }
        due = {key: entry for key, entry in found.items() if entry.ends <= now and entry.moment.lasts()}
        if due:
            await self._look_again(due, now)
        # Others may have written while somebody looked.
        return {key: entry for key, entry in found.items() if entry.ends >= now and entry.moment.lasts()}

    async def _noted_each(self, asked: Mapping[Hashable, Collection[Tag]]) -> dict[Hashable, Basis]:
        if not self._enabled:
            return {}
        names = {key: some for key, tags in asked.items() if (some := _names(tags)) is not None}
        together = list(dict.fromkeys(name for some in names.values() for name in some))
        looked = time.monotonic()
        found = await self._tier.note(together) if together else None
        if found is None:
            return {}
        stamps = dict(zip(together, found, strict=True))
        return {
            key: Basis(self._expiry(), some, tuple([stamps[name] for name in some]), looked)
            for key, some in names.items()
        }


@dataclass(frozen=True, slots=True)
class _Question(Generic[T]):
    """What is asked: by what it is known here and there, when, and what its answer depends on."""

    key: Hashable
    moment: Moment
    names: tuple[bytes, ...]
    load: Load[T]
    narrow: Callable[[T], Collection[Tag] | None] | None
    place: bytes | None

    def narrowed(self, answer: T) -> Collection[Tag] | None:
        """What its answer depends on now that it is known; None where that is no less."""
        return None if self.narrow is None else self.narrow(answer)


def _is_based_on(entry: Entry, stamps: tuple[bytes, ...]) -> bool:
    """Whether an entry that has not ended rests on these stamps. One that has may be older than what there is now."""
    basis = entry.basis
    return basis is not None and basis.stamps == stamps and time.monotonic() < basis.expires and entry.moment.lasts()


async def _read(load: Load[Any], rows: Rows) -> Any:
    try:
        return await load.answer(rows)
    except (ArithmeticError, AttributeError, LookupError, QueryFailedError, TypeError, ValueError):
        return MISS  # whoever kept them reads rows in another way, or was not one of us


def _names(tags: Collection[Tag]) -> tuple[bytes, ...] | None:
    try:
        return stamp_names(tags)
    except TypeError:
        return None
