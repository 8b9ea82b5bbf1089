"""Keeps the songs that the user liked on Spotify, in the order in which Spotify has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from soulspot_db import DatabaseService
from soulspot_db_entities import Repositories
from soulspot_db_entities.library import TrackCreate, TrackId
from soulspot_db_entities.metadata import ArtistCreate
from soulspot_db_entities.spotify import Playlist, PlaylistCreate, PlaylistUpdate

__all__ = ["LikedSong", "LikedSongs"]


@dataclass(frozen=True, slots=True)
class LikedSong:
    """A song as Spotify describes it."""

    id: str
    title: str
    artist_id: str
    artist: str


class LikedSongs:
    """The playlist of the songs that the user liked.

    Args:
        db: where it is kept.
    """

    def __init__(self, db: DatabaseService) -> None:
        self._db = db

    async def sync(self, songs: Sequence[LikedSong]) -> Playlist:
        """Make the playlist hold these songs and no others, all or none; artists and tracks that are not known are made."""

        async def synced(tx: DatabaseService) -> Playlist:
            repos = Repositories(tx)
            liked = PlaylistCreate(name="Liked Songs", source="spotify", is_liked_songs=True)
            playlist = await repos.spotify.playlist.ensure_liked_songs(liked)
            tracks = [await self._track(repos, song) for song in songs]
            await repos.spotify.playlist.replace_tracks(playlist, tracks)
            changes = PlaylistUpdate(track_count=len(set(tracks)), last_synced_at=datetime.now(UTC))
            return await repos.spotify.playlist.update(playlist.id, changes) or playlist

        return await self._db.run_in_transaction(synced)

    async def _track(self, repos: Repositories, song: LikedSong) -> TrackId:
        """The song's track, as it is or made."""
        known = ArtistCreate(name=song.artist, spotify_id=song.artist_id, source="spotify")
        artist, _ = await repos.metadata.artist.get_or_create(known, on=["spotify_id"])
        new = TrackCreate(
            spotify_id=song.id, title=song.title, artist=song.artist, artist_id=artist.id, source="spotify"
        )
        track, _ = await repos.library.track.get_or_create(new, on=["spotify_id"])
        return track.id
