"""Group commit: writes that wait together are committed together, and one that fails, fails alone."""

import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Any

from soulspot_db.engine.base import Outcome
from soulspot_db.engine.sqlite.connection import Connection
from soulspot_db.engine.sqlite.lane import Job
from soulspot_db.engine.sqlite.lease import BeginJob, Done

__all__ = ["LookJob", "UpkeepJob", "WriteQueue", "commit_group"]

_MAX_GROUP = 256


class LookJob(Job[None]):
    """Has the writer look whether others have written; nobody waits for it."""

    def __init__(self) -> None:
        super().__init__([], lambda _outcome: None)


class UpkeepJob(LookJob):
    """Has the writer renew the planner's statistics; nobody waits for it."""


class WriteQueue:
    """The writer's view of its queue: what can be done in one go.

    Args:
        queue: brings jobs, and None at the end. It cannot be peeked into, so what does not fit a group is kept here.
    """

    def __init__(self, queue: "SimpleQueue[Any]") -> None:
        self._queue = queue
        self._ahead: list[Any] = []  # at most one

    def take(self) -> list[Job[Any]]:
        """The writes that wait, at most 256, or one transaction that wants to begin, or one look; empty when the queue has ended."""
        first = self._ahead.pop() if self._ahead else self._queue.get()
        if first is None:
            return []
        group = [first]
        while _joins(first) and len(group) < _MAX_GROUP:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if not _joins(job):
                self._ahead.append(job)
                break
            group.append(job)
        return group


def _joins(job: Any) -> bool:
    return job is not None and not isinstance(job, (BeginJob, LookJob))


def commit_group(connection: Connection, jobs: Sequence[Job[Any]]) -> Done:
    """Run the jobs in one transaction; each that fails, fails alone.

    They are claimed once the transaction has begun: as long as another process has the lock, callers may leave.
    """
    try:
        connection.begin_when_free(lambda: any(job.is_wanted for job in jobs))
    except BaseException as error:  # noqa: BLE001 - not swallowed: it is the callers', and must not end the lane
        connection.rollback()
        return [(job, Outcome(error=error)) for job in jobs if job.claim()]
    claimed = [job for job in jobs if job.claim()]
    if not claimed:
        connection.rollback()
        return []
    return _commit(connection, claimed)


def _commit(connection: Connection, jobs: Sequence[Job[Any]]) -> Done:
    """Run the jobs in the open transaction, and commit.

    An interrupted statement takes the whole transaction with it. Nobody has been acknowledged then, so the others are
    run again, each in a transaction of its own.
    """
    done: Done = []
    try:
        for position, job in enumerate(jobs):
            outcome = connection.attempt(job)
            done.append((job, outcome))
            if not connection.in_transaction:
                failed = [(member, result) for member, result in done if result.error is not None]
                again = [member for member, result in done if result.error is None] + [*jobs[position + 1 :]]
                return failed + [pair for member in again for pair in _commit_alone(connection, member)]
        started = time.perf_counter()
        connection.commit()
        ended = time.perf_counter()
        for job in jobs:
            job.ran(started, ended)
    except BaseException as error:  # noqa: BLE001 - as above
        connection.rollback()
        failed_alone = {id(member): result for member, result in done if result.error is not None}
        return [(job, failed_alone.get(id(job), Outcome(error=error))) for job in jobs]
    return done


def _commit_alone(connection: Connection, job: Job[Any]) -> Done:
    try:
        connection.begin_when_free(lambda: True)
    except BaseException as error:  # noqa: BLE001 - as above
        connection.rollback()
        return [(job, Outcome(error=error))]
    return _commit(connection, [job])
