"""What replaces version 2's lists and updates that take SQL, on rows; and every text of schemas/ as both databases read it."""

import datetime as dt
import sqlite3
from contextlib import closing

import homes
import pytest
from soulspot_db import EntityRegistry
from soulspot_db_entities.automation import ArtistWatchlistRepository
from soulspot_db_entities.library import TrackRepository
from soulspot_db_entities.metadata import AlbumRepository, ArtistDiscographyRepository, ArtistRepository
from soulspot_db_entities.soulseek import DownloadRepository

DATABASES = homes.BOTH
NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)


@pytest.fixture
async def air(make):
    (artist,) = await make(ArtistRepository, {"name": "Air"})
    return artist


@pytest.fixture
def told(soulspot):
    heard = []
    soulspot.events.subscribe("database.**", lambda event: heard.append((event.event_type, event.data)))
    return heard


async def test_watches_whose_next_check_is_due(repos, make, air):
    now = dt.datetime.now(dt.UTC)  # and not when the tests began

    async def watch(checked, hours, **more):
        row = {"last_checked_at": checked, "check_frequency_hours": hours, "artist_id": air.id, **more}
        return (await make(ArtistWatchlistRepository, row))[0].id

    late = await watch(now - 2 * HOUR - SECOND, 2)
    await watch(now - 2 * HOUR + 60 * SECOND, 2)
    longest = await watch(now - 49 * HOUR, 48)
    never = await watch(None, 24)
    await watch(now - 9 * HOUR, 2, status="paused")
    watchlist = repos.automation.artist_watchlist
    assert [row.id for row in await watchlist.list_due_for_check()] == [never, longest, late]
    assert [row.id for row in await watchlist.list_due_for_check(limit=2)] == [never, longest]
    assert [row.id for row in await watchlist.list_due_for_check(now=now - 2 * HOUR)] == [never]
    exactly = now.replace(microsecond=0)
    one = await watch(exactly - HOUR, 1)
    assert one in [row.id for row in await watchlist.list_due_for_check(now=exactly)]
    assert one not in [row.id for row in await watchlist.list_due_for_check(now=exactly - SECOND)]


async def test_recent_downloads_have_the_names_of_what_was_downloaded(repos, make, air):
    (album,) = await make(AlbumRepository, {"title": "Moon Safari", "artist_id": air.id, "cover_url": "http://moon"})
    on_album, single = await make(
        TrackRepository,
        {"title": "Sexy Boy", "artist": "Air", "album_id": album.id},
        {"title": "Casanova 70", "artist": "Air", "album_id": None},
        artist_id=air.id,
    )
    await make(
        DownloadRepository,
        {"track_id": on_album.id, "status": "completed", "completed_at": NOW - 2 * HOUR, "progress_percent": 100.0},
        {"track_id": single.id, "status": "downloading", "completed_at": None, "progress_percent": 12.5},
        {"track_id": single.id, "status": "completed", "completed_at": NOW - HOUR, "progress_percent": 100.0},
    )
    found = await repos.soulseek.download.list_recent()
    assert [(row.title, row.artist, row.album, row.cover_url, row.status, row.progress_percent) for row in found] == [
        ("Casanova 70", "Air", None, None, "completed", 100.0),
        ("Sexy Boy", "Air", "Moon Safari", "http://moon", "completed", 100.0),
        ("Casanova 70", "Air", None, None, "downloading", 12.5),
    ]
    assert [row.track_id for row in found] == [single.id, on_album.id, single.id]
    assert found[0].completed_at == NOW - HOUR
    assert (await repos.soulseek.download.list_recent(limit=1, offset=1)) == found[1:2]
    await repos.metadata.album.delete(album.id)
    assert (await repos.soulseek.download.list_recent())[1].album is None


async def test_releases_that_the_user_has_are_told_by_id_uri_or_title(repos, make, air, told, soulspot):
    (other,) = await make(ArtistRepository, {"name": "Beck"})
    await make(
        AlbumRepository,
        {"title": "Moon Safari (Deluxe)", "deezer_id": "moon", "artist_id": air.id},
        {"title": "Talkie Walkie", "spotify_uri": "spotify:album:talkie", "artist_id": air.id},
        {"title": "POCKET symphony", "artist_id": air.id},
        {"title": "Love 2", "artist_id": air.id, "ownership_state": "discovered"},
        {"title": "Odelay", "artist_id": other.id},
    )
    rows = await make(
        ArtistDiscographyRepository,
        {"title": "Moon Safari", "deezer_id": "moon", "is_owned": False},
        {"title": "TW", "spotify_uri": "spotify:album:talkie", "is_owned": False},
        {"title": "Pocket Symphony", "is_owned": False},
        {"title": "Love 2", "is_owned": True},
        {"title": "Odelay", "is_owned": False},
        {"title": "Talkie Walkie", "is_owned": True},
        artist_id=air.id,
    )
    (foreign,) = await make(ArtistDiscographyRepository, {"title": "Odelay", "is_owned": False, "artist_id": other.id})
    discography = repos.metadata.artist_discography
    await soulspot.events.settle()
    told.clear()
    assert await discography.update_is_owned_for_artist(artist_id=air.id) == 4
    owned = [row.is_owned for row in await discography.get_many([row.id for row in [*rows, foreign]])]
    assert owned == [True, True, True, False, False, True, False]
    await soulspot.events.settle()
    changed = [(data["entity_id"], data["fields"]) for _, data in told]
    assert sorted(changed) == sorted((str(row.id), ["is_owned"]) for row in rows[:4])
    assert (await discography.get(rows[0].id)).updated_at > rows[0].updated_at
    assert await discography.update_is_owned_for_artist(artist_id=air.id) == 0


async def test_latest_releases_have_their_artists_names(repos, make, air):
    await make(
        AlbumRepository,
        {"title": "Love 2", "release_date": "2009-10", "source": "spotify", "is_saved": True},
        {"title": "Moon Safari", "release_date": "1998-01-16", "source": "deezer"},
        {"title": "Undated", "release_date": None},
        {"title": "Le Soleil", "release_date": "1997", "primary_type": "single", "source": "spotify"},
        {"title": "Live", "release_date": "2001", "primary_type": "live"},
        artist_id=air.id,
    )
    album = repos.metadata.album
    found = await album.list_latest_releases()
    assert [(row.title, row.artist_name, row.is_saved) for row in found] == [
        ("Love 2", "Air", True),
        ("Moon Safari", "Air", False),
        ("Le Soleil", "Air", False),
    ]
    assert [row.title for row in await album.list_latest_releases(source="spotify")] == ["Love 2", "Le Soleil"]
    assert [row.title for row in await album.list_latest_releases(primary_types=["live"])] == ["Live"]
    assert await album.list_latest_releases(primary_types=[]) == []
    assert await album.list_latest_releases(limit=1, offset=1) == found[1:2]
    assert await album.list_latest_releases(source="spotify") == await album.list_latest_releases(
        source="spotify", fresh=True
    )


async def test_every_text_is_read_by_the_database_it_is_for(soulspot):
    """A mistake in a text for PostgreSQL, which `generate` cannot ask, is found here."""
    plans = [soulspot.session.plans.of(EntityRegistry.get_schema(name)) for name in EntityRegistry.list_entity_types()]
    texts = {f"{plan.spec.entity_type}.{name}": (plan, name) for plan in plans for name in plan.sql}
    assert len(texts) >= 4
    if soulspot.settings.database_type == "sqlite":
        with closing(sqlite3.connect(soulspot.settings.database_path)) as connection:
            for plan, name in texts.values():
                prepared = plan.sql[name]
                connection.execute(f"EXPLAIN {prepared.sql}", (None,) * len(prepared.names))
        return
    connection = await homes.connect(soulspot.settings)
    try:
        for plan, name in texts.values():
            statement = await connection.prepare(plan.sql[name].sql)
            query = plan.spec.queries[name]
            found = {attribute.name for attribute in statement.get_attributes()}
            assert found == {output.name for output in query.outputs} or not query.outputs
    finally:
        await connection.close()
