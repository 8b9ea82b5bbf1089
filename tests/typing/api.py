"""The public API as type checkers see it: every right use checks clean under mypy --strict and basedpyright.

Never run. `tests/codegen/typing_errors` holds the wrong uses, each of which is an error.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, assert_type
from uuid import uuid4

from soulspot_db import (
    Database,
    DatabaseService,
    DatabaseSettings,
    EntityRegistry,
    Event,
    EventBus,
    Page,
    Repository,
    Subscription,
    Transaction,
)
from soulspot_db.testing import Factories, RecordedEvents
from soulspot_db.typing import Json
from soulspot_db_entities import Repositories
from soulspot_db_entities.automation import ArtistWatchlist
from soulspot_db_entities.core import BackgroundJob, BackgroundJobCreate, BackgroundJobRepository, BackgroundJobUpdate
from soulspot_db_entities.library import (
    Track,
    TrackCreate,
    TrackCreated,
    TrackId,
    TrackIncluded,
    TrackRelation,
    TrackRepository,
)
from soulspot_db_entities.metadata import (
    Album,
    AlbumRepository,
    Artist,
    ArtistCreate,
    ArtistFilter,
    ArtistId,
    ArtistRepository,
    ArtistUpdate,
)
from soulspot_db_entities.soulseek import (
    Download,
    DownloadCountByStatus,
    DownloadCreate,
    DownloadFilter,
    DownloadId,
    DownloadListRecent,
    DownloadOrder,
    DownloadRepository,
    DownloadStatus,
    DownloadUpdate,
)
from soulspot_db_entities.spotify import (
    Playlist,
    PlaylistCreate,
    PlaylistCreated,
    PlaylistDeleted,
    PlaylistFilter,
    PlaylistId,
    PlaylistRepository,
    PlaylistUpdate,
    PlaylistUpdated,
)

bus = EventBus()


@bus.subscribe("database.playlist.created")
async def on_created(event: Event[PlaylistCreated]) -> None:
    assert_type(event.data["entity_id"], str)


@bus.subscribe("database.playlist.updated")
async def on_updated(event: Event[PlaylistUpdated]) -> None:
    assert_type(event.data["fields"], list[str])


@bus.subscribe("database.playlist.deleted")
def on_deleted(event: Event[PlaylistDeleted]) -> None:
    assert_type(event.timestamp, datetime)


@bus.subscribe("database.track.created", max_pending=100, shards=4, timeout=None)
async def on_track_created(event: Event[TrackCreated]) -> None:
    assert_type(event.data["entity_id"], str)


async def subscriptions() -> None:
    subscription = bus.subscribe("database.track.created", on_track_created, shards=4, timeout=0.5)
    assert_type(subscription, Subscription)
    bus.unsubscribe(subscription)
    assert_type(bus.stats(), dict[str, int])


async def reading(playlists: PlaylistRepository, id: PlaylistId) -> None:
    assert_type(await playlists.get(id), Playlist | None)
    assert_type(await playlists.get(id, fresh=True), Playlist | None)
    assert_type(await playlists.get_or_raise(id), Playlist)
    assert_type(await playlists.upsert(PlaylistCreate(name="x", spotify_id="s")), Playlist)
    assert_type(await playlists.get_or_create(PlaylistCreate(name="x"), on=["spotify_id"]), tuple[Playlist, bool])
    assert_type(await playlists.get_many([id, id]), list[Playlist | None])
    assert_type(await playlists.get_by_spotify_id("spotify:1"), Playlist | None)
    assert_type(await playlists.query(), list[Playlist])
    assert_type(await playlists.query({"name": "x"}, order_by="name desc", limit=10, offset=20), list[Playlist])
    page = await playlists.page({"name": {"starts_with": "x"}}, order_by="name", limit=10)
    assert_type(page, Page[Playlist])
    assert_type((await playlists.page(order_by="name", after=page.next)).items, list[Playlist])
    async for playlist in playlists.stream({"track_count": 0}, order_by=["name desc"], batch_size=100):
        assert_type(playlist, Playlist)
    assert_type(await playlists.count(), int)
    assert_type(await playlists.count({"track_count": {"gte": 1}}), int)
    assert_type(await playlists.exists({"id": id}), bool)


async def including(repos: Repositories, tracks: list[Track], albums: list[Album]) -> None:
    found = await repos.library.track.include(tracks, "main_artist", "album", "playlists", fresh=True)
    assert_type(found, list[TrackIncluded])
    assert_type(found[0].row, Track)
    assert_type(found[0].main_artist, Artist | None)
    assert_type(found[0].album, Album | None)
    assert_type(found[0].playlists, list[Playlist])
    relation: TrackRelation = "album"
    await repos.library.track.include(tracks, relation)
    assert_type((await repos.metadata.album.include(albums, "artist"))[0].artist, Artist)


async def rows(playlist: Playlist, download: Download) -> None:
    assert_type(playlist.id, PlaylistId)
    assert_type(playlist.name, str)
    assert_type(playlist.spotify_id, str | None)
    assert_type(playlist.track_count, int)
    assert_type(playlist.created_at, datetime)
    assert_type(download.track_id, TrackId)
    status: DownloadStatus = download.status
    assert_type(status == "pending", bool)


async def named_queries(downloads: DownloadRepository) -> None:
    assert_type(await downloads.list_retry_eligible(limit=5), list[Download])
    counts = await downloads.count_by_status(fresh=True)
    assert_type(counts, list[DownloadCountByStatus])
    assert_type(counts[0].status, DownloadStatus)
    assert_type(counts[0].n, int)


async def queries_of_soulspot(repos: Repositories, new: TrackCreate, artist: ArtistId) -> None:
    assert_type(await repos.metadata.artist.get_by_name(name="Air"), Artist | None)
    assert_type(await repos.metadata.artist.list_unified(source="spotify"), Page[Artist])
    assert_type(await repos.metadata.artist.list_spotify_ids(), list[str])
    assert_type(await repos.soulseek.download.list_completed_track_ids(), list[TrackId])
    assert_type(await repos.soulseek.blocklist_entry.is_blocked(username="a", filepath="b"), bool)
    assert_type(await repos.library.track.upsert_from_provider(new), Track)
    assert_type(await repos.core.background_job.claim_next(worker="w", job_types=["scan"]), BackgroundJob | None)
    stats = await repos.metadata.artist_discography.get_stats_for_artist(artist_id=artist)
    assert_type(stats[0].owned, int)


async def relations(tracks: TrackRepository, albums: AlbumRepository, track: Track, album: Album) -> None:
    assert_type(await albums.artist(album), Artist)
    assert_type(await tracks.album(track), Album | None)
    assert_type(await tracks.albums([track]), list[Album | None])
    assert_type(await albums.artists([album], fresh=True), list[Artist])
    assert_type(await tracks.main_artists([track]), list[Artist | None])
    assert_type(
        await tracks.downloads(track, {"status": "failed"}, order_by="created_at desc", limit=1), list[Download]
    )
    assert_type(await tracks.playlists(track), list[Playlist])
    assert_type(await albums.tracks_of([album], limit=3), list[list[Track]])
    await tracks.query(
        {"main_artist": {"some": {"name": {"ieq": "air"}}}, "downloads": {"none": {"status": "completed"}}}
    )
    await albums.query({"tracks": {"every": {"playlists": {"none": {}}}}})


async def filters(downloads: DownloadRepository, track: TrackId) -> None:
    now = datetime.now(UTC)
    await downloads.query({"status": "pending"})
    await downloads.query({"status": ["pending", "queued"], "track_id": track})
    await downloads.query({"username": [None, "somebody"]})
    await downloads.query({"priority": {"gt": 1, "lte": 5, "ne": 3}})
    await downloads.query({"priority": {"in": [1, 2]}, "retry_count": {"not_in": [0]}})
    await downloads.query({"created_at": {"lt": now}, "completed_at": {"ne": None}})
    await downloads.query(
        {"completed_at": {"gt": {"field": "created_at"}}, "priority": {"ne": {"field": "retry_count"}}}
    )
    await downloads.query({"or": [{"status": "failed"}, {"not": {"quality_score": {"lt": 0.5}}}]})
    await downloads.query({"and": [{"priority": 1}, {"or": [{"username": "a"}, {"username": None}]}]})
    await downloads.query({"next_retry_at": {"lte": {"now": "0s"}}, "retry_count": {"lt": {"field": "max_retries"}}})
    await downloads.query({"created_at": {"between": [{"now": "-7d"}, now]}, "priority": {"between": [1, 5]}})
    await downloads.query(
        {"file_path": {"icontains": "live", "not_like": ["%.wma", "%.m4p"]}, "username": {"ieq": "me"}}
    )
    await downloads.query({"username": {"is": None}, "source_url": {"is_not": {"field": "file_path"}}})
    where: DownloadFilter = {"status": {"ne": "cancelled"}}
    if track is not None:
        where["track_id"] = track
    await downloads.delete_where(where)
    await downloads.update_where({}, DownloadUpdate(priority=0), all_rows=True)


async def json_values(jobs: BackgroundJobRepository) -> None:
    new = BackgroundJobCreate(job_type="scan", payload={"folders": ["a"], "deep": {"is": None}})
    job = await jobs.save(new)
    assert_type(job.payload, Json)
    assert_type(job.result, Json | None)
    await jobs.update(job.id, BackgroundJobUpdate(payload=[1, 2.5, True], result=None))
    await jobs.query({"payload": {"eq": {"folders": []}, "ne": 7}, "result": None})
    await jobs.query({"payload": {"in": [{}, "x"], "not_in": [None]}})
    if isinstance(job.payload, Mapping):
        folders: Json = job.payload["folders"]
        assert folders


async def orders(downloads: DownloadRepository) -> None:
    await downloads.query(order_by="created_at")
    await downloads.query(order_by=["priority desc", "username desc nulls first", "created_at"])
    order: DownloadOrder = "next_retry_at nulls first"
    await downloads.query(order_by=order)


async def writing(playlists: PlaylistRepository, downloads: DownloadRepository, id: PlaylistId, track: TrackId) -> None:
    assert_type(await playlists.save(PlaylistCreate(name="x")), Playlist)
    await playlists.save(PlaylistCreate(name="x", id=PlaylistId(uuid4()), spotify_id=None, track_count=3))
    assert_type(await playlists.save_many([PlaylistCreate(name="a"), PlaylistCreate(name="b")]), list[Playlist])
    assert_type(await playlists.update(id, PlaylistUpdate(name="y")), Playlist | None)
    await playlists.update(id, PlaylistUpdate(description=None, last_synced_at=datetime.now(UTC)))
    await playlists.update(id, PlaylistUpdate())
    assert_type(await playlists.update_where({"name": "x"}, PlaylistUpdate(name="y")), int)
    assert_type(await playlists.delete(id), bool)
    assert_type(await playlists.delete_where({"track_count": 0}), int)
    await downloads.save(DownloadCreate(track_id=track, status="queued", quality_score=0.5))
    await downloads.update(DownloadId(uuid4()), DownloadUpdate(status="failed", error_message=None))


async def all_together(settings: DatabaseSettings) -> None:
    async with Database(settings, events=bus) as db:
        repositories = Repositories(db)
        assert_type(repositories.library.track, TrackRepository)
        assert_type(await repositories.library.track.query(limit=1), list[Track])
        async with db.transaction() as tx:
            assert_type(await Repositories(tx).spotify.playlist.count(), int)
            assert_type(await PlaylistRepository(tx).count(), int)
        await db.close(drain=5)
        await db.close(drain=None)


async def queries_in_sql(all: Repositories, artist: ArtistId) -> None:
    recent = await all.soulseek.download.list_recent(limit=5)
    assert_type(recent, list[DownloadListRecent])
    assert_type((recent[0].id, recent[0].track_id, recent[0].title), tuple[DownloadId, TrackId, str])
    assert_type(recent[0].album, str | None)
    assert_type(await all.library.track.get(recent[0].track_id), Track | None)
    found = await all.metadata.album.list_latest_releases(primary_types=["album"], source="spotify", fresh=True)
    assert_type((found[0].artist_id, found[0].artist_name), tuple[ArtistId, str])
    assert_type(await all.automation.artist_watchlist.list_due_for_check(now=datetime.now(UTC)), list[ArtistWatchlist])
    assert_type(await all.metadata.artist_discography.update_is_owned_for_artist(artist_id=artist), int)


async def name_of(tx: Transaction) -> str:
    return (await PlaylistRepository(tx).query(limit=1))[0].name


async def count_through(service: DatabaseService) -> int:
    return await service.count("playlist")


async def callbacks(db: Database, service: DatabaseService, tx: Transaction) -> None:
    assert_type(await db.run_in_transaction(name_of), str)
    assert_type(await db.run_in_transaction(count_through, attempts=3), int)
    assert_type(await tx.run_in_transaction(name_of), str)
    assert_type(await service.run_in_transaction(count_through), int)
    assert_type(await db.run_in_transaction(lambda tx: tx.exists("playlist", {})), bool)


async def facade(db: DatabaseService) -> None:
    assert_type(await db.get("playlist", "spotify:1"), dict[str, Any] | None)
    assert_type(await db.save("playlist", {"name": "x"}), str)
    assert_type(await db.update("playlist", "spotify:1", {"name": "y"}), bool)
    assert_type(await db.delete("playlist", "spotify:1"), bool)
    assert_type(await db.query("download", {"status": ["pending"]}, "created_at DESC", limit=5), list[dict[str, Any]])
    assert_type(await db.count("download", {"status": "pending"}), int)
    async with db.transaction() as tx:
        await tx.save("playlist", {"name": "z"})


def generic(repository: Repository[Playlist, PlaylistId], where: PlaylistFilter) -> None:
    assert_type(EntityRegistry.list_entity_types(), list[str])
    assert_type(where.get("name") is None, bool)
    assert repository.schema.entity_type


async def the_testing_kit(factories: Factories, events: RecordedEvents) -> None:
    assert_type(factories.build(TrackCreate, title="x"), TrackCreate)
    assert_type(await factories.create("track", title="x"), dict[str, Any])
    assert_type(await factories.full.create(TrackRepository), Track)
    assert_type(await events.next("database.track.created", timeout=1), Event[Any])
    assert_type(events.all(), list[Event[Any]])


async def virtual_fields(artists: ArtistRepository) -> None:
    artist = await artists.upsert(ArtistCreate(name="Air", spotify_id="a"), on=["spotify_id"])
    assert_type(artist.spotify_id, str | None)
    assert_type(await artists.get_by_spotify_id("a"), Artist | None)
    await artists.update(artist.id, ArtistUpdate(spotify_id=None))
    where: ArtistFilter = {"spotify_id": {"starts_with": ["a", "b"], "ne": None}}
    await artists.query(where, order_by=["spotify_id desc nulls first", "id"])
    await artists.query({"spotify_id": ["a", None]})


async def ordered_children(playlists: PlaylistRepository, playlist: Playlist, tracks: list[Track]) -> None:
    ids = [track.id for track in tracks]
    assert_type(await playlists.add_to_tracks(playlist, ids, at=0), int)
    assert_type(await playlists.remove_from_tracks(playlist, ids), int)
    assert_type(await playlists.move_in_tracks(playlist, ids[0], 3), bool)
    await playlists.replace_tracks(playlist, ids)
    assert_type(await playlists.tracks(playlist, limit=3), list[Track])


async def arranged(db: DatabaseService) -> None:
    assert_type(await db.arrange("playlist", "spotify-id", "tracks", add=["a", "b"], at=0), int)
