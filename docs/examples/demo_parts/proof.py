"""Compares what must be there with what is: through the API, in the events, and in the file itself."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_parts.size import Size
from demo_parts.workload import Workload

from soulspot_db import DatabaseService

__all__ = ["Check", "check_file", "check_rows", "check_workload"]


@dataclass(frozen=True, slots=True)
class Check:
    """Something that can be counted, how much it must be, and how much it is."""

    what: str
    expected: int | str
    actual: int | str

    @property
    def holds(self) -> bool:
        """Whether the two are the same."""
        return self.actual == self.expected


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows to count in two ways: with a filter, and with SQL."""

    what: str
    expected: int
    entity: str
    filters: Mapping[str, Any] | None
    sql: str


def _rows(size: Size) -> list[_Rows]:
    downloads = "SELECT count(*) FROM soulseek_downloads WHERE status"
    return [
        _Rows("playlists", size.playlists, "playlist", None, "SELECT count(*) FROM spotify_playlists"),
        _Rows("artists", size.artists, "artist", None, "SELECT count(*) FROM metadata_artists"),
        _Rows("albums", size.albums, "album", None, "SELECT count(*) FROM metadata_albums"),
        _Rows("tracks", size.tracks, "track", None, "SELECT count(*) FROM library_tracks"),
        _Rows(
            "tracks with a downloaded file",
            size.downloads,
            "track",
            {"source": "spotify", "download_state": "downloaded", "file_path": {"ne": None}},
            "SELECT count(file_path) FROM library_tracks WHERE source = 'spotify' AND download_state = 'downloaded'",
        ),
        _Rows("downloads completed", size.downloads, "download", {"status": "completed"}, f"{downloads} = 'completed'"),
        _Rows(
            "downloads failed: user offline",
            size.failed_attempts,
            "download",
            {"status": "failed"},
            f"{downloads} = 'failed'",
        ),
        _Rows(
            "downloads still in the queue",
            0,
            "download",
            {"status": ["pending", "downloading"]},
            f"{downloads} IN ('pending', 'downloading')",
        ),
    ]


async def check_rows(db: DatabaseService, size: Size) -> list[Check]:
    """Count through the API."""
    return [Check(rows.what, rows.expected, await db.count(rows.entity, rows.filters)) for rows in _rows(size)]


def check_file(path: Path, size: Size) -> list[Check]:
    """Count with nothing but SQLite, once the database is closed."""
    with closing(sqlite3.connect(path)) as file:
        return [
            *(Check(rows.what, rows.expected, file.execute(rows.sql).fetchone()[0]) for rows in _rows(size)),
            Check("PRAGMA integrity_check", "ok", file.execute("PRAGMA integrity_check").fetchone()[0]),
            Check("references to nothing", 0, len(file.execute("PRAGMA foreign_key_check").fetchall())),
        ]


def check_workload(done: Workload, size: Size, dropped: int) -> list[Check]:
    """What the events said, and what must not have happened."""
    locked = done.errors["DATABASE_LOCKED"]
    return [
        Check("track.created events", size.tracks, done.activity.tracks_added),
        Check("playlist.created events", size.playlists, done.playlist_events["created"]),
        Check("playlist.updated events", size.playlists_updated, done.playlist_events["updated"]),
        Check("events dropped", 0, dropped),
        Check("lock errors", 0, locked),
        Check("other database errors", 0, done.errors.total() - locked),
        Check("stale reads", 0, done.stale_reads),
    ]
