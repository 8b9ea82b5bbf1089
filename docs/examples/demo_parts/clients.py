"""Stand-ins for Spotify and slskd that answer from memory: the demo needs no network and no account."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from soulspot.downloads import DownloadClientError
from soulspot.playlists import SpotifyPlaylist

from demo_parts.catalogue import playlists_of
from demo_parts.size import Size

__all__ = ["FakeSlskd", "FakeSpotify"]


class FakeSpotify:
    """Spotify, first as it was some weeks ago, and after `weeks_pass` with longer and with new playlists."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._weeks_ago = True

    def weeks_pass(self) -> None:
        """Let the users add tracks and make playlists."""
        self._weeks_ago = False

    async def get_user_playlists(self, user_id: str) -> list[SpotifyPlaylist]:
        """All playlists that a user follows."""
        now = playlists_of(user_id, self._size)
        if not self._weeks_ago:
            return now
        older = now[: len(now) - self._size.new_playlists_per_user]
        return [replace(playlist, track_count=playlist.track_count - 5) for playlist in older]


class FakeSlskd:
    """slskd with very fast users, one of whom is never online."""

    def __init__(self) -> None:
        self._started = 0

    async def start_download(self, username: str, file_path: str) -> str:
        """Begin a transfer."""
        await asyncio.sleep(0.002)
        if username == "gone_fishing":
            raise DownloadClientError(f"{username} is offline; {file_path} cannot be transferred")
        self._started += 1
        return f"transfer-{self._started:04d}"

    async def progress(self, transfer_id: str) -> AsyncIterator[float]:
        """The percentages that a transfer passes; they differ from transfer to transfer."""
        step = 20 + int(transfer_id[-1])
        for percent in range(step, 100, step):
            await asyncio.sleep(0.004)
            yield float(percent)
