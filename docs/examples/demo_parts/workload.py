"""What the demo does to the database: all that SoulSpot does in a busy week, at the same time."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from soulspot.activity import LibraryActivity
from soulspot.downloads import DownloadService
from soulspot.library import LibraryScan
from soulspot.playlists import PlaylistService
from soulspot_db import Database, DatabaseError, Event
from soulspot_db_entities import Repositories
from soulspot_db_entities.library import TrackCreate

from demo_parts.catalogue import WantedTrack, loose_files, music_folders, wanted_tracks
from demo_parts.clients import FakeSlskd, FakeSpotify
from demo_parts.display import Display
from demo_parts.size import Size

__all__ = ["Workload"]

_Job = tuple[str, WantedTrack]


class Workload:
    """Runs the modules against one database, and counts what they cannot count themselves.

    Args:
        db: an open database.
        size: how much to do.
        display: told of everything that is done.
    """

    def __init__(self, db: Database, size: Size, display: Display) -> None:
        self.activity = LibraryActivity(db.events)
        self.playlist_events: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        """Database errors by code."""
        self.stale_reads = 0
        """Reads that did not see a write which had been acknowledged before."""
        self.page_views = 0
        self._db = db
        self._size = size
        self._display = display
        self._spotify = FakeSpotify(size)
        self._slskd = FakeSlskd()
        self._playlists = PlaylistService(db, self._spotify)
        self._downloads = DownloadService(db, self._slskd)
        self._scan = LibraryScan(db)
        db.events.subscribe("database.playlist.*", self._on_playlist)

    def _on_playlist(self, event: Event[object]) -> None:
        self.playlist_events[event.event_type.rpartition(".")[2]] += 1

    async def run(self) -> None:
        """Synchronise twice; then scan, download and watch, all at once."""
        await self._sync_playlists()
        self._spotify.weeks_pass()
        await self._sync_playlists()
        jobs = iter(await self._want_tracks())
        over = asyncio.Event()
        async with asyncio.TaskGroup() as watching:
            watching.create_task(self._watch(over))
            async with asyncio.TaskGroup() as working:
                working.create_task(self._scan_folders())
                working.create_task(self._scan_loose_files())
                for _ in range(self._size.workers):
                    working.create_task(self._work(jobs))
            over.set()
        await self._db.events.settle()
        self._display.show("track.created events", self.activity.tracks_added)

    async def _sync_playlists(self) -> None:
        for user in self._size.users:
            with self._counted():
                self._display.advance("playlists synced", len(await self._playlists.sync_playlists(user)))

    async def _want_tracks(self) -> list[_Job]:
        wanted = wanted_tracks(self._size)
        tracks = await Repositories(self._db).library.track.save_many(
            [
                TrackCreate(
                    spotify_id=track.spotify_id,
                    title=track.title,
                    artist=track.artist,
                    source="spotify",
                    download_state="wanted",
                )
                for track in wanted
            ]
        )
        return [(str(track.id), job) for track, job in zip(tracks, wanted, strict=True)]

    async def _scan_folders(self) -> None:
        for folder in music_folders(self._size):
            with self._counted():
                self._display.advance("tracks scanned", len(await self._scan.add_folder(folder)))

    async def _scan_loose_files(self) -> None:
        for file in loose_files(self._size):
            with self._counted():
                await self._scan.add(file)
                self._display.advance("tracks scanned")

    async def _work(self, jobs: Iterator[_Job]) -> None:
        # All workers share one iterator, so each job is taken once.
        for track_id, wanted in jobs:
            with self._counted():
                await self._download(track_id, wanted)
                self._display.advance("downloads completed")

    async def _download(self, track_id: str, wanted: WantedTrack) -> None:
        download_id = await self._downloads.start(track_id, wanted.users[0], wanted.shared_path)
        download = await self._db.get_or_raise("download", download_id)
        if download["status"] == "failed":
            download_id = await self._downloads.start(track_id, wanted.users[1], wanted.shared_path)
            download = await self._db.get_or_raise("download", download_id)
        async for percent in self._slskd.progress(download["slskd_download_id"]):
            await self._downloads.report_progress(download_id, percent)
            download = await self._db.get_or_raise("download", download_id)
            self.stale_reads += download["progress_percent"] != percent
        await self._downloads.mark_completed(download_id, f"/music/downloads/{wanted.artist} - {wanted.title}.flac")
        download = await self._db.get_or_raise("download", download_id)
        self.stale_reads += download["status"] != "completed"

    async def _watch(self, over: asyncio.Event) -> None:
        while not over.is_set():
            with self._counted():
                await self._view_start_page()
            self.page_views += 1
            self._display.show("track.created events", self.activity.tracks_added)
            await asyncio.sleep(0.01)

    async def _view_start_page(self) -> None:
        # A worker has one download at a time, so a longer queue would be one that never was.
        self.stale_reads += len(await self._downloads.queue()) > self._size.workers
        # An event is sent after the commit, so what it tells of can be read.
        for track_id in self.activity.newest_track_ids:
            self.stale_reads += await self._db.get("track", track_id) is None
        for user in self._size.users:
            playlists = await self._db.query("playlist", {"user_id": user}, order_by="name, id")
            self.stale_reads += len(playlists) != self._size.playlists_per_user

    @contextmanager
    def _counted(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            self.errors[error.code] += 1
