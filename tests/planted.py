"""Mistakes to plant in the runtime, each as a context manager: what finds none of them proves little."""

import asyncio
import contextlib
import inspect
import textwrap
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from unittest import mock

from soulspot_db.cache import cache as cache_module
from soulspot_db.cache.cache import Cache
from soulspot_db.cache.region import CacheRegion
from soulspot_db.cache.stamps import Moment, Stamps
from soulspot_db.cache.tags import Tag
from soulspot_db.cache.trust import Trust
from soulspot_db.facade.records import Records
from soulspot_db.sessions.commit import Commit
from soulspot_db.sessions.operations import Read
from soulspot_db.sessions.plan import Plan
from soulspot_db.sessions.transaction import TransactionSession

__all__ = ["MISTAKES", "Mistake"]

Mistake = Callable[[], AbstractContextManager[Any]]


def replaced(owner: Any, name: str, *changes: tuple[str, str]) -> AbstractContextManager[Any]:
    """A method with some of its text replaced; each text must be there exactly once, or this mistake would be none."""
    method = inspect.unwrap(getattr(owner, name))
    source = textwrap.dedent(inspect.getsource(method))
    for old, new in changes:
        assert source.count(old) == 1, f"{source.count(old)} times in {owner.__name__}.{name}: {old}"
        source = source.replace(old, new)
    made: dict[str, Any] = {}
    names = {**vars(inspect.getmodule(method)), "_soon": _soon}
    exec(compile(source, f"<{owner.__name__}.{name} with a mistake>", "exec"), names, made)
    return mock.patch.object(owner, name, made[name])


def _soon(call: Callable[..., Any], *args: Any) -> None:
    asyncio.get_running_loop().call_soon(call, *args)


@contextmanager
def all_of(*mistakes: AbstractContextManager[Any]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for mistake in mistakes:
            stack.enter_context(mistake)
        yield


def delete_only_invalidation() -> AbstractContextManager[Any]:
    """Entries go, and loads that have begun before the write are kept and joined."""

    def invalidate(self: Cache, tags: Collection[Tag]) -> None:
        touched = {id(stamp) for stamp in self._stamps._of(tags)}
        for region in self._regions:
            for key, entry in list(region._entries.items()):
                if touched.intersection(map(id, entry.moment._stamps)):
                    del region._entries[key]

    return mock.patch.object(Cache, "invalidate", invalidate)


def stamps_read_after_the_database() -> AbstractContextManager[Any]:
    return all_of(
        replaced(
            CacheRegion,
            "read",
            ("self._keep(key, moment, value, narrow)", "self._keep(key, self._stamps.now(tags), value, narrow)"),
        ),
        replaced(
            CacheRegion,
            "read_many",
            ("self._keep(key, moment, answers", "self._keep(key, self._stamps.now(asked[key]), answers"),
        ),
    )


class _Counted:
    """Numbers of tags, compared with those of a map that forgets."""

    def __init__(self, stamps: "_CountedStamps", tags: Collection[Tag]) -> None:
        self._of, self._tags = stamps, tuple(tags)
        self._numbers = [stamps.number(tag) for tag in self._tags]
        self.generation = sum(self._numbers)

    def lasts(self) -> bool:
        if any(self._of.dirty[tag] for tag in self._tags):
            return False
        return self._numbers == [self._of.number(tag) for tag in self._tags]


class _CountedStamps:
    """A number for each tag, in a map of a limited size: what is written while nobody looks starts again at nought."""

    def __init__(self) -> None:
        self.dirty: Counter[Tag] = Counter()
        self._numbers: OrderedDict[Tag, int] = OrderedDict()

    def number(self, tag: Tag) -> int:
        number = self._numbers[tag] = self._numbers.pop(tag, 0)
        while len(self._numbers) > 4:
            self._numbers.popitem(last=False)
        return number

    def now(self, tags: Collection[Tag]) -> _Counted:
        return _Counted(self, tags)

    def touch(self, tags: Collection[Tag]) -> None:
        for tag in tags:
            self._numbers[tag] = self.number(tag) + 1

    def touch_all(self) -> None:
        self.touch(list(self._numbers))

    def mark_dirty(self, tags: Collection[Tag]) -> tuple[Tag, ...]:
        self.dirty.update(tags)
        return tuple(tags)

    def clear_dirty(self, tags: Collection[Tag]) -> None:
        self.dirty.subtract(tags)


def a_counter_with_eviction() -> AbstractContextManager[Any]:
    return mock.patch.object(cache_module, "Stamps", _CountedStamps)


def a_load_in_flight_not_forgotten() -> AbstractContextManager[Any]:
    return replaced(CacheRegion, "read", ("(key, moment.generation)", "(key, 0)"))


def invalidation_before_commit() -> AbstractContextManager[Any]:
    return all_of(
        replaced(
            Commit,
            "__init__",
            (
                "self._dirty = cache.mark_dirty(tags)",
                "self._dirty = cache.mark_dirty(tags); cache.invalidate(tags); cache.drop(tags, lambda: None)",
            ),
        ),
        replaced(
            Commit,
            "__call__",
            ("self._cache.invalidate(touched)\n        events", "events"),
            ("self._cache.drop(touched,", "self._cache.drop((),"),
        ),
    )


def caching_inside_a_transaction(*, answers: bool, fills: bool) -> AbstractContextManager[Any]:
    ask = TransactionSession.read

    async def read(self: TransactionSession, request: Read[Any]) -> Any:
        async def load() -> Any:
            return await ask(self, request)

        if request.key is None:
            return await load()
        region = request.region
        moment = region._stamps.now(request.tags)
        if answers:
            entry = region._entries.get(request.key)
            if entry is not None and entry.lasts():
                region.hits += 1
                return entry.value
        value = await load()
        if fills:
            region._keep(request.key, moment, value, request.narrow)
        return value

    return mock.patch.object(TransactionSession, "read", read)


def a_kept_savepoint_forgets_its_tags() -> AbstractContextManager[Any]:
    return replaced(
        TransactionSession,
        "_close_frame",
        ("self._frames[-1].effects.add(frame.effects)", "self._frames[-1].effects.events += frame.effects.events"),
    )


def dirty_cleared_before_commit() -> AbstractContextManager[Any]:
    return replaced(
        Commit,
        "__init__",
        ("self._dirty = cache.mark_dirty(tags)", "self._dirty = (); cache.clear_dirty(cache.mark_dirty(tags))"),
    )


def dirty_cleared_a_turn_before_the_invalidation() -> AbstractContextManager[Any]:
    """In one turn nobody could tell, so the invalidation comes a turn later: as it would, did it have to be waited for."""
    return replaced(
        Commit,
        "__call__",
        (
            "touched = done.tags\n        self._cache.invalidate(touched)",
            "touched = done.tags; _soon(self._cache.invalidate, touched)",
        ),
    )


async def _trusting(_self: Trust) -> bool:
    return True


def _savepoint_rolled_back_with(more: str) -> AbstractContextManager[Any]:
    undo = 'await self._command(f"ROLLBACK TO {name}")'
    return replaced(TransactionSession, "_close_frame", (undo, f"{undo}; {more}"))


def _touching_no(kind: str) -> AbstractContextManager[Any]:
    """Plans whose writes do not touch a kind of tag."""
    touched = Plan.touched
    lengths = {"table": {1}, "bulk": {2}, "row": {3, 4}}

    def fewer(self: Plan, keys: Any = ()) -> set[Tag]:
        return {tag for tag in touched(self, keys) if len(tag) not in lengths[kind]}

    return mock.patch.object(Plan, "touched", fewer)


def _row_tags_of_a_missing_row(self: Records, rows: Any) -> Any:
    return self._plan.row_tags(self._plan.key_of(rows[0])) if rows else ()


_OVERTAKEN = "a_load_that_a_write_overtakes_is"

# By name: the mistake, and an interleaving that finds it.
MISTAKES: dict[str, tuple[Mistake, str]] = {
    "delete-only invalidation": (delete_only_invalidation, f"{_OVERTAKEN}_not_kept_row"),
    "stamps read after the database": (stamps_read_after_the_database, f"{_OVERTAKEN}_not_kept_query"),
    "a counter with eviction": (
        a_counter_with_eviction,
        "an_entry_from_before_a_write_is_not_revived_by_whatever_is_asked_since",
    ),
    "a load in flight not forgotten": (a_load_in_flight_not_forgotten, f"{_OVERTAKEN}_not_joined_row"),
    # While a tag is dirty nothing is kept that was asked for one by one, so this takes rows that are asked for together.
    "invalidation before COMMIT": (
        invalidation_before_commit,
        f"{_OVERTAKEN}_not_kept_if_it_began_while_the_write_waited_rows",
    ),
    "reads in a transaction answered from the cache": (
        lambda: caching_inside_a_transaction(answers=True, fills=False),
        "a_transaction_sees_what_it_has_written_and_nobody_else_does",
    ),
    "reads in a transaction kept in the cache": (
        lambda: caching_inside_a_transaction(answers=False, fills=True),
        "what_a_transaction_reads_is_not_kept_for_others",
    ),
    "a rolled-back savepoint drops the tags from before it": (
        lambda: _savepoint_rolled_back_with("self._frames[-1].effects.tags.clear()"),
        "a_savepoint_that_is_rolled_back_leaves_what_was_written_before_it",
    ),
    "a kept savepoint's tags dropped": (
        a_kept_savepoint_forgets_its_tags,
        "a_savepoint_that_is_kept_is_seen_once_all_of_it_is_committed",
    ),
    "dirty cleared before COMMIT": (
        dirty_cleared_before_commit,
        "once_somebody_has_seen_a_commit_nobody_sees_what_was_before_it",
    ),
    "dirty cleared before the invalidation": (
        dirty_cleared_a_turn_before_the_invalidation,
        "once_somebody_has_seen_a_commit_no_turn_of_the_loop_shows_what_was_before_it",
    ),
    "cascades not invalidated": (
        lambda: mock.patch.object(Plan, "cascaded", return_value=set()),
        "a_row_deleted_with_its_parent_is_gone_from_the_cache",
    ),
    "rows not invalidated": (lambda: _touching_no("row"), f"{_OVERTAKEN}_not_kept_row"),
    "bulk writes not invalidated": (
        lambda: _touching_no("bulk"),
        "of_very_many_rows_written_at_once_each_is_seen",
    ),
    "queries not invalidated": (lambda: _touching_no("table"), f"{_OVERTAKEN}_not_kept_query"),
    "a load kept though a write overtook it": (
        lambda: replaced(CacheRegion, "_keep", ("self._enabled and moment.lasts()", "self._enabled")),
        f"{_OVERTAKEN}_not_kept_unique_value",
    ),
    "an entry believed though its row was written": (
        lambda: replaced(CacheRegion, "known", ("entry.value if entry.lasts() else MISS", "entry.value")),
        "once_somebody_has_seen_a_commit_nobody_sees_what_was_before_it",
    ),
    "a load kept though a COMMIT is under way": (
        lambda: replaced(Moment, "lasts", ("if stamp.dirty:", "if False:")),
        "what_is_asked_during_a_commit_is_kept_after_it_and_not_before",
    ),
    "dirty cleared by the first of two writers": (
        lambda: replaced(Stamps, "clear_dirty", ("stamp.dirty -= 1", "stamp.dirty = 0")),
        "a_row_written_by_two_is_dirty_until_both_commits_are_known",
    ),
    "of several tags only the first looked at": (
        lambda: replaced(Stamps, "now", ("self._of(tags)", "self._of(tags)[:1]")),
        "of_very_many_rows_written_at_once_each_is_seen",
    ),
    "a commit of unknown outcome not invalidated": (
        lambda: replaced(Commit, "__call__", ("touched = self._tags", "touched = ()")),
        "a_commit_whose_outcome_nobody_knows_is_looked_up",
    ),
    "fresh reads join loads that have begun": (
        lambda: replaced(CacheRegion, "read", ("if trusted else load())", "if True else load())")),
        "a_fresh_read_joins_no_load_that_has_begun",
    ),
    "a missing row kept as if nobody could insert it": (
        lambda: mock.patch.object(Records, "_row_tags_of", _row_tags_of_a_missing_row),
        "a_row_that_was_missed_is_found_once_it_is_inserted",
    ),
    "a natural key's answer kept though its text is another row's key": (
        lambda: replaced(
            Records, "_look_up", ("tags if tags is None or key is None else {*tags, *self._plan.row_tags(key)}", "tags")
        ),
        "a_text_that_becomes_a_primary_key_means_that_row",
    ),
    "events of a rolled-back savepoint published": (
        lambda: _savepoint_rolled_back_with("self._frames[-1].effects.events += frame.effects.events"),
        "a_savepoint_rolled_back_between_two_reads_changes_neither",
    ),
    "other programs believed to be silent": (
        lambda: mock.patch.object(Trust, "renewed", _trusting),
        "what_another_program_has_committed_is_seen_by_the_next_read",
    ),
    "other programs' commits seen and ignored": (
        lambda: replaced(Trust, "looked", ("self._on_others()", "pass")),
        "what_another_program_has_committed_is_seen_by_the_next_read",
    ),
    "a refused write leaves its tags dirty": (
        lambda: replaced(
            Commit,
            "__call__",
            ("lambda: self._over(slot, events)", "lambda: outcome.error or self._over(slot, events)"),
        ),
        "a_write_that_is_refused_during_a_load_leaves_the_load_to_be_kept",
    ),
}
