"""Filters and orders that a type checker must refuse; each marked line is an error, and nothing else is."""

from soulspot_db_entities.core import BackgroundJob, BackgroundJobCreate, BackgroundJobRepository
from soulspot_db_entities.library import TrackId
from soulspot_db_entities.metadata import ArtistCreate, ArtistRepository, ArtistUpdate
from soulspot_db_entities.soulseek import DownloadFilter, DownloadRepository
from soulspot_db_entities.spotify import Playlist, PlaylistId, PlaylistRepository, SpotifySessionRepository


async def wrong(downloads: DownloadRepository, track: TrackId) -> None:
    await downloads.query({"statsu": "pending"})  # error: no such field
    await downloads.query({"priority": "high"})  # error: not an integer
    await downloads.query({"created_at": "yesterday"})  # error: not a datetime
    await downloads.query({"status": "finished"})  # error: not one of the values
    await downloads.query({"status": ["pending", "finished"]})  # error: nor in a list
    await downloads.query({"priority": {"above": 1}})  # error: no such operator
    await downloads.query({"priority": {"gt": "1"}})  # error: not an integer
    await downloads.query({"status": {"ne": "finished"}})  # error: not one of the values
    await downloads.query({"priority": {"gt": None}})  # error: only eq and ne take None
    await downloads.query({"priority": {"gt": {"fild": "retry_count"}}})  # error: another field is named by `field`
    await downloads.query({"priority": {"in": {"field": "retry_count"}}})  # error: a list, not a field
    await downloads.query({"priority": {"field": "retry_count"}})  # error: no operator
    await downloads.query({"priority": {"like": "1%"}})  # error: no text
    await downloads.query({"username": {"starts_with": 1}})  # error: not text
    await downloads.query({"priority": {"gt": {"now": "0s"}}})  # error: not a datetime
    await downloads.query({"created_at": {"gt": {"nwo": "0s"}}})  # error: a moment is counted from `now`
    await downloads.query({"created_at": {"contains": "2026"}})  # error: no such operator
    await downloads.query({"track": {"some": {"titel": "x"}}})  # error: no such field of the related entity
    await downloads.query({"track": {"title": "x"}})  # error: some, none or every
    await downloads.query({"trakc": {"some": {}}})  # error: no such relation
    await downloads.query({"id": track})  # error: the key of another entity
    await downloads.query({"or": {"status": "pending"}})  # error: not a list
    await downloads.query({"not": [{"status": "pending"}]})  # error: not one filter
    await downloads.query({"or": [{"statsu": "pending"}]})  # error: no such field further in
    await downloads.query(order_by="created")  # error: no such field
    await downloads.query(order_by="created_at down")  # error: no such direction
    await downloads.query(order_by="created_at nulls first")  # error: it is never null
    await downloads.query(order_by=["priority desc", "created"])  # error: no such field
    await downloads.query({}, "created_at")  # error: by name only
    await downloads.query(limit="10")  # error: not an integer
    await downloads.delete_where()  # error: a filter is needed
    where: DownloadFilter = {"status": "pending"}
    where["priority"] = "high"  # error: not an integer
    await downloads.query(where)


async def json_values(jobs: BackgroundJobRepository, job: BackgroundJob) -> None:
    await jobs.query({"payload": {"gt": 1}})  # error: JSON has no order
    await jobs.query({"payload": {"folders": []}})  # error: no such operator
    await jobs.query({"payload": ["x"]})  # error: a whole value goes with an operator
    BackgroundJobCreate(job_type="scan")  # error: the payload is missing
    job.payload["folders"] = []  # error: nobody can change it


async def encrypted(sessions: SpotifySessionRepository) -> None:
    await sessions.query({"access_token": None, "refresh_token": {"ne": None}})
    await sessions.query({"access_token": "BQC4"})  # error: it is encrypted
    await sessions.query({"access_token": ["BQC4", None]})  # error: nor in a list
    await sessions.query({"access_token": {"ne": "BQC4"}})  # error: nor with an operator
    await sessions.query({"access_token": {"like": "B%"}})  # error: no such operator
    await sessions.query(order_by="access_token")  # error: it has no order


async def wrong_virtual(artists: ArtistRepository) -> None:
    await artists.query({"spotify_id": 5})  # error: not text
    await artists.query({"spotify_id": {"like": "a%"}})  # error: means something else with the prefix
    await artists.get_by_spotify_id(None)  # error: null is no value
    ArtistCreate(name="Air", spotify_id=5)  # error: not text
    ArtistUpdate(spotify_idd="a")  # error: no such field
    artist = await artists.get_by_spotify_id("a", fresh=True)
    if artist is not None:
        artist.spotify_id.upper()  # error: it may be None
        artist.spotify_id = "b"  # error: rows do not change


async def wrong_order(playlists: PlaylistRepository, playlist: Playlist, key: PlaylistId, track: TrackId) -> None:
    await playlists.add_to_tracks(playlist, [key])  # error: the key of another entity
    await playlists.add_to_tracks(key, [track])  # error: a row, not its key
    await playlists.add_to_tracks(playlist, [track], 3)  # error: by name only
    await playlists.remove_from_tracks(playlist, track)  # error: a list
    await playlists.move_in_tracks(playlist, track)  # error: where to
    await playlists.replace_tracks(playlist, None)  # error: a list
    await playlists.add_to_user(playlist, [track])  # error: no such relation
