"""Keeps the users' Spotify playlists in the database."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from soulspot_db import DatabaseService

__all__ = ["PlaylistService", "SpotifyClient", "SpotifyPlaylist"]


@dataclass(frozen=True, slots=True)
class SpotifyPlaylist:
    """A playlist as Spotify describes it."""

    id: str
    name: str
    description: str | None
    track_count: int


class SpotifyClient(Protocol):
    """What this module needs of Spotify."""

    async def get_user_playlists(self, user_id: str) -> list[SpotifyPlaylist]:
        """All playlists that a user follows."""
        ...


class PlaylistService:
    """Copies playlists from Spotify, and answers from the copy.

    Args:
        db: where the playlists are kept.
        spotify: where they come from.
    """

    def __init__(self, db: DatabaseService, spotify: SpotifyClient) -> None:
        self._db = db
        self._spotify = spotify

    async def sync_playlists(self, user_id: str) -> list[dict[str, Any]]:
        """Bring a user's playlists up to date, all or none, and return them by name."""
        # Spotify is asked first: while a transaction waits for the network, nobody else can write.
        playlists = await self._spotify.get_user_playlists(user_id)
        async with self._db.transaction():
            for playlist in playlists:
                await self._store(user_id, playlist)
        return await self._db.query("playlist", {"user_id": user_id}, order_by="name, id")

    async def _store(self, user_id: str, playlist: SpotifyPlaylist) -> None:
        current = {
            "name": playlist.name,
            "description": playlist.description,
            "track_count": playlist.track_count,
            "last_synced_at": datetime.now(UTC),
        }
        # Spotify's id is the natural key of a playlist, so `get` finds it by that as well as by our own.
        known = await self._db.get("playlist", playlist.id)
        if known:
            await self._db.update("playlist", known["id"], current)
        else:
            await self._db.save(
                "playlist", {"spotify_id": playlist.id, "user_id": user_id, "source": "spotify", **current}
            )
