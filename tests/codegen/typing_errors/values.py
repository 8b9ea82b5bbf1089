"""Keys and values that a type checker must refuse; each marked line is an error, and nothing else is."""

from uuid import uuid4

from soulspot_db_entities import Repositories
from soulspot_db_entities.library import TrackId
from soulspot_db_entities.soulseek import Download, DownloadCreate, DownloadRepository, DownloadUpdate
from soulspot_db_entities.spotify import Playlist, PlaylistCreate, PlaylistId, PlaylistRepository, PlaylistUpdate


async def keys(playlists: PlaylistRepository, track: TrackId, playlist: PlaylistId) -> None:
    await playlists.get(track)  # error: the key of another entity
    await playlists.get(uuid4())  # error: not known to be a key
    await playlists.get("spotify:1")  # error: text is for the facade
    await playlists.get_many([playlist, track])  # error: the key of another entity
    await playlists.delete(track)  # error: the key of another entity
    await playlists.update(track, PlaylistUpdate(name="x"))  # error: the key of another entity
    await playlists.update(playlist, DownloadUpdate(priority=1))  # error: the changes of another entity
    await playlists.save(DownloadCreate(track_id=track))  # error: another entity
    await playlists.get_by_spotify_id(None)  # error: null is equal to nothing
    await playlists.get_by_spotify_id(playlist)  # error: not text
    await playlists.get_by_name("x")  # error: not unique


async def inputs(downloads: DownloadRepository, playlists: PlaylistRepository, track: TrackId) -> None:
    PlaylistCreate()  # error: the name is missing
    PlaylistCreate(name="x", nmae="y")  # error: no such field
    PlaylistCreate(name=None)  # error: not nullable
    PlaylistCreate(name="x", track_count="3")  # error: not an integer
    PlaylistUpdate(nmae="x")  # error: no such field
    PlaylistUpdate(name=None)  # error: not nullable
    PlaylistUpdate(id=PlaylistId(uuid4()))  # error: a key does not change
    DownloadCreate(track_id=track, status="finished")  # error: not one of the values
    DownloadCreate(track_id=PlaylistId(uuid4()))  # error: the key of another entity
    DownloadUpdate(status="finished")  # error: not one of the values
    await playlists.save({"name": "x"})  # error: a dict is for the facade
    await downloads.update_where({"status": "failed"}, {"priority": 1})  # error: a dict is for the facade


async def upserts(playlists: PlaylistRepository, new: PlaylistCreate) -> None:
    await playlists.upsert(new, on=["spotify_di"])  # error: no such field
    await playlists.upsert(new, on=["name"])  # error: not unique
    await playlists.get_or_create(new, on="spotify_id")  # error: a list


async def outputs(playlists: PlaylistRepository, row: Playlist, all: Repositories) -> None:
    assert row.nmae  # error: no such field
    assert row.spotify_id.upper()  # error: it may be null
    assert (await playlists.get(row.id)).name  # error: there may be no such row
    assert all.spotify.track  # error: in another module
    assert all.spotfy  # error: no such module


async def queries_in_sql(all: Repositories) -> None:
    (row, *_) = await all.soulseek.download.list_recent(limit="5")  # error: not a number
    await all.soulseek.download.get(row.track_id)  # error: the key of another entity
    assert row.album.upper()  # error: it may be null
    assert row.priority  # error: not selected
    await all.soulseek.download.list_recent(5)  # error: parameters have names
    await all.metadata.album.list_latest_releases(source="napster")  # error: not one of the values
    await all.metadata.artist_discography.update_is_owned_for_artist()  # error: the artist is missing


def comparison(download: Download) -> bool:
    return download.status == "finished"  # error: never true
