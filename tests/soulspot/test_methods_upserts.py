"""What replaces version 2's upserts and get-or-create: by one key, and by several with a rule for each field."""

import asyncio
import datetime as dt

import homes
import pytest
from soulspot_db import ConstraintViolationError
from soulspot_db_entities.library import TrackCreate, TrackRepository
from soulspot_db_entities.metadata import (
    AlbumCreate,
    AlbumRepository,
    ArtistCreate,
    ArtistDiscographyCreate,
    ArtistRepository,
)
from soulspot_db_entities.spotify import PlaylistCreate, ProviderSyncStatusCreate, SpotifyTokenCreate, SpotifyTokenId

DATABASES = homes.BOTH
NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)
MANY = 20


async def test_by_one_key(repos):
    status = repos.spotify.provider_sync_status
    first = await status.upsert(ProviderSyncStatusCreate(sync_type="liked_songs", status="running"))
    again = await status.upsert(ProviderSyncStatusCreate(sync_type="liked_songs", items_synced=7))
    assert (again.id, again.status, again.items_synced) == (first.id, "running", 7)
    assert await status.get_by_sync_type("liked_songs") == again
    tokens, key = repos.spotify.spotify_token, SpotifyTokenId("default")
    for token in ("a", "b"):
        new = SpotifyTokenCreate(id=key, access_token=token, refresh_token="r", token_expires_at=NOW)
        assert (await tokens.upsert(new)).access_token == token
    assert await tokens.count() == 1


async def test_a_partial_upsert_leaves_other_fields_and_other_rows_alone(repos):
    """Version 2's write buffer set them to null."""
    playlists = repos.spotify.playlist
    await playlists.save(PlaylistCreate(spotify_id="p1", name="One", cover_url="http://1"))
    await playlists.save(PlaylistCreate(spotify_id="p2", name="Two", cover_url="http://2"))
    await playlists.upsert(PlaylistCreate(spotify_id="p1", name="First"))
    assert [(row.name, row.cover_url) for row in await playlists.query(order_by="spotify_id")] == [
        ("First", "http://1"),
        ("Two", "http://2"),
    ]


@pytest.fixture
async def album(make):
    (album,) = await make(AlbumRepository, {"title": "Moon Safari"})
    return album


@pytest.mark.parametrize(
    "given",
    [
        {"isrc": "FR1", "spotify_id": "s2", "title": "x"},
        {"isrc": "FR9", "spotify_id": "s1", "title": "x"},
        {"spotify_id": "s9", "deezer_id": "d1", "title": "x"},
        {"tidal_id": "t1", "title": "x"},
        {"isrc": "FR9", "title": "LA FEMME d'argent"},
    ],
)
async def test_a_track_is_found_by_the_first_of_its_keys_that_matches(repos, make, album, given):
    known = {"isrc": "FR1", "spotify_id": "s1", "deezer_id": "d1", "tidal_id": "t1", "title": "La Femme d'Argent"}
    (track,) = await make(TrackRepository, known, artist="Air", album_id=album.id)
    new = TrackCreate(
        **given, artist="AIR", album_id=album.id, source="deezer", musicbrainz_id="m", duration_ms=428_000
    )
    found = await repos.library.track.upsert_from_provider(new)
    assert found.id == track.id
    assert {name: getattr(found, name) for name in known} == known  # what was known stays
    assert (found.musicbrainz_id, found.duration_ms, found.source) == ("m", 428_000, "hybrid")
    assert await repos.library.track.count() == 1


async def test_ids_that_were_not_known_are_filled_in(repos, make, album):
    await make(
        TrackRepository, {"title": "Talisman", "isrc": None, "deezer_id": None, "spotify_id": "s"}, album_id=album.id
    )
    new = TrackCreate(title="TALISMAN", artist="Air", album_id=album.id, isrc="FR1", deezer_id="d", spotify_id="other")
    found = await repos.library.track.upsert_from_provider(new)
    assert (found.title, found.isrc, found.deezer_id, found.spotify_id) == ("Talisman", "FR1", "d", "s")


async def test_a_track_that_nothing_matches_is_new(repos, make, album):
    await make(TrackRepository, {"title": "Talisman", "isrc": "FR1"}, album_id=album.id)
    for new in (
        TrackCreate(title="Talisman", artist="Air", album_id=None),  # a single of that title
        TrackCreate(title="Remember", artist="Air", album_id=album.id, isrc="FR2"),
    ):
        assert (await repos.library.track.upsert_from_provider(new)).id == new.id
    assert await repos.library.track.count() == 3


async def test_the_keys_are_tried_in_order(repos, make, album):
    by_isrc, by_spotify, by_title = await make(
        TrackRepository, {"isrc": "FR1"}, {"spotify_id": "s"}, {"title": "Talisman", "album_id": album.id}
    )
    new = {"title": "talisman", "artist": "Air", "album_id": album.id}
    upsert = repos.library.track.upsert_from_provider
    assert (await upsert(TrackCreate(**new))).id == by_title.id
    assert (await upsert(TrackCreate(**new, spotify_id="s"))).id == by_spotify.id
    assert (await upsert(TrackCreate(**new, isrc="FR1"))).id == by_isrc.id


async def test_an_id_of_a_third_row_is_refused_and_nothing_is_changed(repos, make):
    one, _ = await make(TrackRepository, {"isrc": "FR1", "spotify_id": None}, {"spotify_id": "s"})
    with pytest.raises(ConstraintViolationError):
        await repos.library.track.upsert_from_provider(TrackCreate(title="x", artist="x", isrc="FR1", spotify_id="s"))
    assert await repos.library.track.get(one.id) == one


async def test_of_many_providers_at_once_none_makes_a_second_track(repos, album):
    """Half of them match by title alone, which no index makes unique."""
    titles = ("Talisman", "TALISMAN", "talisman")
    new = [
        TrackCreate(title=titles[n % 3], artist="Air", album_id=album.id, isrc="FR1" if n % 2 else None, duration_ms=n)
        for n in range(MANY)
    ]
    found = await asyncio.gather(*map(repos.library.track.upsert_from_provider, new))
    assert len({row.id for row in found}) == await repos.library.track.count() == 1
    (row,) = await repos.library.track.query()
    assert row.isrc == "FR1"


async def test_an_artist_of_another_source_becomes_hybrid(repos, make):
    (local,) = await make(ArtistRepository, {"name": "Air", "source": "local", "image_url": "http://air"})
    artists = repos.metadata.artist
    new = ArtistCreate(name="AIR", source="spotify", spotify_uri="spotify:artist:air", image_url=None, popularity=60)
    found = await artists.upsert_from_provider(new)
    assert (found.id, found.name, found.source, found.popularity) == (local.id, "Air", "hybrid", 60)
    assert (found.spotify_uri, found.image_url) == ("spotify:artist:air", "http://air")
    again = await artists.upsert_from_provider(ArtistCreate(name="Air (FR)", spotify_uri="spotify:artist:air"))
    assert (again.id, again.name, again.popularity) == (local.id, "Air", 60)
    same = ArtistCreate(name="Beck", source="spotify")
    assert [(await artists.upsert_from_provider(same)).source for _ in range(2)] == ["spotify", "spotify"]
    assert await artists.count() == 2


async def test_an_album_that_was_saved_stays_saved(repos, make):
    (air,) = await make(ArtistRepository, {"spotify_uri": "spotify:artist:air"})
    parent = await repos.metadata.artist.get_by_spotify_uri("spotify:artist:air")
    uri = "spotify:album:safari"
    saved = [None, True, False]
    for is_saved in saved:
        given = {} if is_saved is None else {"is_saved": is_saved}
        new = AlbumCreate(title="Moon Safari", artist_id=parent.id, spotify_uri=uri, source="spotify", **given)
        found = await repos.metadata.album.upsert_from_provider(new)
    assert (found.is_saved, found.artist_id, found.source) == (True, air.id, "spotify")
    by_title = AlbumCreate(title="moon safari", artist_id=air.id, deezer_id="d", source="deezer", total_tracks=10)
    found = await repos.metadata.album.upsert_from_provider(by_title)
    assert (found.spotify_uri, found.deezer_id, found.source, found.total_tracks) == (uri, "d", "hybrid", 10)
    assert found.is_saved is True
    assert await repos.metadata.album.count() == 1


async def test_a_release_is_found_by_its_title_in_upper_or_lower_case(repos, make):
    air, beck = await make(ArtistRepository, {}, {})
    upsert = repos.metadata.artist_discography.upsert_from_provider
    first = await upsert(
        ArtistDiscographyCreate(artist_id=air.id, title="Moon Safari", deezer_id="d", is_owned=True, last_seen_at=NOW)
    )
    found = await upsert(
        ArtistDiscographyCreate(
            artist_id=air.id,
            title="MOON SAFARI",
            album_type="Album",
            deezer_id=None,
            spotify_uri="u",
            is_owned=False,
            total_tracks=10,
            last_seen_at=NOW + HOUR,
            discovered_at=NOW + HOUR,
        )
    )
    assert (found.id, found.title, found.album_type) == (first.id, "Moon Safari", "album")
    assert (found.deezer_id, found.spotify_uri, found.total_tracks, found.is_owned) == ("d", "u", 10, True)
    assert (found.last_seen_at, found.discovered_at) == (NOW + HOUR, first.discovered_at)
    found = await upsert(ArtistDiscographyCreate(artist_id=air.id, title="moon safari", last_seen_at=NOW - HOUR))
    assert (found.id, found.last_seen_at) == (first.id, NOW + HOUR)
    for other in (
        ArtistDiscographyCreate(artist_id=air.id, title="Moon Safari", album_type="single"),
        ArtistDiscographyCreate(artist_id=beck.id, title="Moon Safari"),
    ):
        assert (await upsert(other)).id == other.id
    assert await repos.metadata.artist_discography.count() == 3


async def test_of_many_that_see_a_release_at_once_one_row_is_made(repos, make):
    """The unique index tells upper from lower case, so it would let them all in."""
    (air,) = await make(ArtistRepository, {})
    spelled = ["".join(c.upper() if n >> i & 1 else c for i, c in enumerate("moon safari")) for n in range(MANY)]
    await asyncio.gather(
        *(
            repos.metadata.artist_discography.upsert_from_provider(
                ArtistDiscographyCreate(artist_id=air.id, title=title, last_seen_at=NOW + n * HOUR)
            )
            for n, title in enumerate(spelled)
        )
    )
    (row,) = await repos.metadata.artist_discography.query()
    assert row.last_seen_at == NOW + (MANY - 1) * HOUR


async def test_the_playlist_of_liked_songs_is_made_once_and_stays_as_it_is(repos):
    playlists = repos.spotify.playlist
    await playlists.save(PlaylistCreate(name="Liked Songs", spotify_id="p"))  # another one of that name
    new = [PlaylistCreate(name=f"Liked Songs {n}", is_liked_songs=True, source="spotify") for n in range(MANY)]
    found = await asyncio.gather(*map(playlists.ensure_liked_songs, new))
    assert len({row.id for row in found}) == len({row.name for row in found}) == 1
    assert await playlists.count({"is_liked_songs": True}) == 1


async def test_what_is_missing_is_made_once(repos):
    tracks = repos.library.track
    new = [TrackCreate(title=f"{n}", artist="Air", spotify_id="s") for n in range(MANY)]
    found = await asyncio.gather(*map(tracks.get_or_create, new))
    assert sum(is_new for _, is_new in found) == 1
    assert len({row.title for row, _ in found}) == 1
    assert await tracks.count() == 1
