"""The clock of this machine, beside what the database knows of the time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, note, ok

__all__ = ["of_file", "of_server"]

_EARLIEST = datetime(2024, 1, 1, tzinfo=UTC)  # this package is younger
_TOLERANCE = 60.0  # seconds
_SET = "Set the clock, and let it be kept right: timedatectl set-ntp true"
_HARM = "rows get wrong times, and what expires does so too early or too late"


def of_file(case: Case) -> Iterator[Finding]:
    """Whether it is later than the last write."""
    now = datetime.now(UTC)
    last = max((datetime.fromtimestamp(file.stat().st_mtime, UTC) for file in case.files), default=now)
    if now < _EARLIEST:
        yield note(f"the clock says {now:%Y-%m-%d %H:%M}, which is long past: {_HARM}", _SET)
    elif (last - now).total_seconds() > _TOLERANCE:
        yield note(
            f"the clock says {now:%Y-%m-%d %H:%M}, and the file was written at {last:%Y-%m-%d %H:%M}: {_HARM}", _SET
        )
    else:
        yield ok(f"{now:%Y-%m-%d %H:%M} UTC")


def of_server(case: Case) -> Iterator[Finding]:
    """Whether the server has the same time."""
    before = time.time()
    ((there,),) = case.ask("SELECT extract(epoch FROM clock_timestamp())::float8")
    apart = there - (before + time.time()) / 2
    if abs(apart) > _TOLERANCE:
        ahead = "ahead of" if apart > 0 else "behind"
        yield note(f"the server's clock is {abs(apart):,.0f} s {ahead} this machine's: {_HARM}", f"{_SET}, on both.")
    else:
        yield ok("the server's and this machine's agree")
