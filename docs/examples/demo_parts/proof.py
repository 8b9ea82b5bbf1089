"""Counts what is there in three ways, and compares it with what must be there."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from soulspot_db import DatabaseService, EventBus

from demo_parts.size import Size
from demo_parts.workload import Workload

__all__ = ["Counts", "asked", "expected", "heard", "read_from_file", "wrong"]

Counts = dict[str, int | str]

# The same rows, asked for with a filter and with SQL.
_ROWS: dict[str, tuple[str, Mapping[str, Any] | None, str]] = {
    "playlists": ("playlist", None, "SELECT count(*) FROM spotify_playlists"),
    "artists": ("artist", None, "SELECT count(*) FROM metadata_artists"),
    "albums": ("album", None, "SELECT count(*) FROM metadata_albums"),
    "tracks": ("track", None, "SELECT count(*) FROM library_tracks"),
    "tracks with a downloaded file": (
        "track",
        {"download_state": "downloaded", "file_path": {"ne": None}},
        "SELECT count(*) FROM library_tracks WHERE download_state = 'downloaded' AND file_path IS NOT NULL",
    ),
    "downloads completed": (
        "download",
        {"status": "completed"},
        "SELECT count(*) FROM soulseek_downloads WHERE status = 'completed'",
    ),
    "downloads failed, user offline": (
        "download",
        {"status": "failed", "error_message": {"ne": None}},
        "SELECT count(*) FROM soulseek_downloads WHERE status = 'failed' AND error_message IS NOT NULL",
    ),
    "downloads still in the queue": (
        "download",
        {"status": ["pending", "downloading"]},
        "SELECT count(*) FROM soulseek_downloads WHERE status IN ('pending', 'downloading')",
    ),
}


def expected(size: Size) -> Counts:
    """What must be there: arithmetic, which knows nothing of what was stored."""
    return {
        "playlists": size.playlists,
        "playlists updated": size.playlists_updated,
        "artists": size.artists,
        "albums": size.albums,
        "tracks": size.tracks,
        "tracks with a downloaded file": size.downloads,
        "downloads completed": size.downloads,
        "downloads failed, user offline": size.failed_attempts,
        "downloads still in the queue": 0,
        "lock errors": 0,
        "other database errors": 0,
        "stale reads": 0,
        "events dropped": 0,
        "PRAGMA integrity_check": "ok",
        "references to nothing": 0,
    }


async def asked(db: DatabaseService, done: Workload) -> Counts:
    """What the API says, and the errors it has raised."""
    locked = done.errors["DATABASE_LOCKED"]
    return {
        **{what: await db.count(entity, filters) for what, (entity, filters, _) in _ROWS.items()},
        "lock errors": locked,
        "other database errors": done.errors.total() - locked,
        "stale reads": done.stale_reads,
    }


def heard(bus: EventBus, done: Workload) -> Counts:
    """What the events say: one for every row."""
    return {
        "playlists": done.playlist_events["created"],
        "playlists updated": done.playlist_events["updated"],
        "tracks": done.activity.tracks_added,
        "events dropped": bus.stats()["dropped"],
    }


def read_from_file(path: Path) -> Counts:
    """What the file says to plain SQLite, once the database is closed."""
    with closing(sqlite3.connect(path)) as file:
        return {
            **{what: file.execute(sql).fetchone()[0] for what, (_, _, sql) in _ROWS.items()},
            "PRAGMA integrity_check": file.execute("PRAGMA integrity_check").fetchone()[0],
            "references to nothing": len(file.execute("PRAGMA foreign_key_check").fetchall()),
        }


def wrong(wanted: Counts, found: Mapping[str, Counts]) -> list[str]:
    """What differs in any of the ways of counting, or was counted in none."""
    return [
        what
        for what, number in wanted.items()
        if {counts[what] for counts in found.values() if what in counts} != {number}
    ]
