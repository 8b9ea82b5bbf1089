"""Adds music files to the library, with the artists and albums they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass

from soulspot_db import DatabaseService
from soulspot_db_entities import Repositories
from soulspot_db_entities.library import Track, TrackCreate
from soulspot_db_entities.metadata import Album, AlbumCreate, Artist, ArtistCreate, ArtistId

__all__ = ["LibraryScan", "MusicFile"]


@dataclass(frozen=True, slots=True)
class MusicFile:
    """A file in the music folder, and what its tags say."""

    path: str
    title: str
    artist: str
    album: str | None = None
    track_number: int | None = None
    duration_ms: int = 0


class LibraryScan:
    """Stores what a scan of the music folder finds.

    Args:
        db: where the library is kept.
    """

    def __init__(self, db: DatabaseService) -> None:
        self._db = db
        repositories = Repositories(db)
        self._artists = repositories.metadata.artist
        self._albums = repositories.metadata.album
        self._tracks = repositories.library.track

    async def add(self, file: MusicFile) -> Track:
        """Store one file as a track."""
        # One transaction around looking and saving: two scans that meet a new artist at once make one artist.
        async with self._db.transaction():
            return await self._tracks.save(await self._track_of(file))

    async def add_folder(self, files: Sequence[MusicFile]) -> list[Track]:
        """Store the files of a folder as tracks: all of them, or none."""
        async with self._db.transaction():
            return await self._tracks.save_many([await self._track_of(file) for file in files])

    async def _track_of(self, file: MusicFile) -> TrackCreate:
        artist = await self._artist(file.artist)
        album = await self._album(file.album, artist.id) if file.album else None
        return TrackCreate(
            title=file.title,
            artist=artist.name,
            artist_id=artist.id,
            album_id=album.id if album else None,
            track_number=file.track_number,
            duration_ms=file.duration_ms,
            file_path=file.path,
        )

    async def _artist(self, name: str) -> Artist:
        found = await self._artists.query({"name": name}, limit=1)
        return found[0] if found else await self._artists.save(ArtistCreate(name=name))

    async def _album(self, title: str, artist_id: ArtistId) -> Album:
        found = await self._albums.query({"title": title, "artist_id": artist_id}, limit=1)
        return found[0] if found else await self._albums.save(AlbumCreate(title=title, artist_id=artist_id))
