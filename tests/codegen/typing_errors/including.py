"""Relations that a type checker must refuse to include; each marked line is an error, and nothing else is."""

from soulspot_db_entities.library import Track, TrackRelation, TrackRepository
from soulspot_db_entities.metadata import Album


async def wrong(tracks: TrackRepository, rows: list[Track], albums: list[Album]) -> None:
    await tracks.include(rows, "artits")  # error: no such relation
    await tracks.include(rows, "album", "album.artist")  # error: one level at a time
    await tracks.include(albums, "album")  # error: rows of another entity
    await tracks.include(rows, ["album"])  # error: names, not a list of them
    relation: TrackRelation = "title"  # error: a field
    await tracks.include(rows, relation)
    (found,) = await tracks.include(rows, "album")
    _ = found.album.title  # error: it may be None
    _ = found.artits  # error: no such relation
    found.row = rows[0]  # error: frozen
