"""What replaces version 2's methods that look at related rows, keep them in an order, or know an id without its prefix."""

import asyncio
import datetime as dt

import homes
import pytest
from soulspot_db import ValidationFailedError
from soulspot_db_entities import Repositories
from soulspot_db_entities.library import TrackCreate, TrackRepository
from soulspot_db_entities.metadata import (
    AlbumCreate,
    AlbumRepository,
    ArtistCreate,
    ArtistDiscographyRepository,
    ArtistRepository,
)
from soulspot_db_entities.spotify import PlaylistCreate, PlaylistRepository, PlaylistUpdate

DATABASES = homes.BOTH
NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)
MANY = 20


def names(rows):
    return [row.name for row in rows]


def titles(rows):
    return [row.title for row in rows]


async def test_artists_of_whom_there_is_music_and_who_lack_something(repos, make):
    artists = await make(
        ArtistRepository,
        {"name": "a: no picture", "spotify_id": "a"},
        {"name": "b: complete", "spotify_id": "b", "image_url": "http://b"},
        {"name": "c: no music"},
        {"name": "d: no id", "image_url": "http://d"},
        {"name": "VARIOUS artists"},
        {"name": "unknown Artist"},
        {"name": "e: an empty picture", "spotify_id": "e", "image_url": ""},
    )
    for artist in artists:
        if artist.name != "c: no music":
            await make(TrackRepository, {"file_path": "/a"}, {}, artist=artist.name, artist_id=artist.id)
    await make(TrackRepository, {"artist_id": artists[2].id})
    found = await repos.metadata.artist.list_unenriched()
    assert names(found) == ["a: no picture", "d: no id", "e: an empty picture"]
    assert names(await repos.metadata.artist.list_unenriched(limit=2)) == names(found[:2])
    assert await repos.metadata.artist.count_unenriched() == 3


async def test_artists_of_whom_a_release_is_known(repos, make):
    air, moby = await make(ArtistRepository, {"name": "Air"}, {"name": "Moby"})
    await make(ArtistDiscographyRepository, {"title": "One"}, {"title": "Two"}, artist_id=air.id)
    assert names(await repos.metadata.artist.list_with_discography()) == ["Air"]
    await make(ArtistDiscographyRepository, {"artist_id": moby.id})
    assert names(await repos.metadata.artist.list_with_discography()) == ["Air", "Moby"]


async def test_albums_of_which_there_is_music_and_which_lack_something(repos, make):
    rows = await make(
        AlbumRepository,
        {"title": "a", "spotify_id": "a"},
        {"title": "b", "spotify_id": "b", "cover_url": "http://b"},
        {"title": "c", "secondary_types": ["compilation"]},
        {"title": "no music"},
    )
    for album in rows[:3]:
        await make(TrackRepository, {"album_id": album.id, "file_path": "/a"})
    await make(TrackRepository, {"album_id": rows[3].id})
    album = repos.metadata.album
    assert titles(await album.list_unenriched()) == ["a", "c"]
    assert titles(await album.list_unenriched(without_type="compilation")) == ["a"]
    assert await album.count_unenriched() == 2
    assert await album.count_unenriched(without_type="compilation") == 1


async def test_albums_that_lack_what_deezer_would_know_of_their_artist(repos, make):
    known, other = await make(ArtistRepository, {"deezer_id": "d"}, {})
    empty = {"primary_type": "", "cover_url": ""}
    full = {"primary_type": "ep", "cover_url": "http://x", "deezer_id": "x"}
    await make(AlbumRepository, {"title": "empty", **empty}, {"title": "full", **full}, artist_id=known.id)
    await make(AlbumRepository, {"title": "nobody's", **empty}, artist_id=other.id)
    album = repos.metadata.album
    assert titles(await album.list_without_primary_type()) == ["empty"]
    assert titles(await album.list_without_deezer_id()) == ["empty"]
    assert titles(await album.list_without_cover_url()) == ["empty"]
    assert titles(await album.list_needing_track_backfill()) == ["full"]
    (full_one,) = await album.query({"title": "full"})
    await make(TrackRepository, {"album_id": full_one.id})
    assert await album.list_needing_track_backfill() == []


# Spotify's ids without their prefix.


async def test_artists_and_albums_are_found_by_spotifys_own_id(repos, make, soulspot):
    (air,) = await make(ArtistRepository, {"name": "Air", "spotify_id": "4tZ", "source": "spotify"})
    (album,) = await make(AlbumRepository, {"spotify_id": "1Ab", "artist_id": air.id})
    assert (air.spotify_uri, album.spotify_uri) == ("spotify:artist:4tZ", "spotify:album:1Ab")
    assert await repos.metadata.artist.get_by_spotify_id("4tZ") == air
    assert await repos.metadata.album.get_by_spotify_id("1Ab") == album
    assert await repos.metadata.album.get_by_spotify_id("4tZ") is None
    assert (await soulspot.get("artist", "4tZ"))["name"] == "Air"
    await make(ArtistRepository, {"spotify_uri": None}, {"spotify_id": "0aa", "source": "hybrid"})
    assert await repos.metadata.artist.list_spotify_ids() == ["0aa", "4tZ"]
    assert await repos.metadata.artist.list_spotify_ids(source="spotify") == ["4tZ"]


async def test_the_albums_of_an_artist_and_the_tracks_of_an_album(repos, make):
    """Both by Spotify's id of the parent, in one statement."""
    air, moby = await make(ArtistRepository, {"spotify_id": "air"}, {"spotify_id": "moby"})
    albums = await make(AlbumRepository, {"title": "A"}, {"title": "B"}, {"title": "C"}, artist_id=air.id)
    (play,) = await make(AlbumRepository, {"title": "Play", "spotify_id": "play"}, artist_id=moby.id)
    of_air = {"artist": {"some": {"spotify_id": "air"}}}
    album, track = repos.metadata.album, repos.library.track
    assert titles(await album.query(of_air, order_by=["title", "id"], limit=2, offset=1)) == ["B", "C"]
    assert await album.count(of_air) == 3
    new = await album.list_new_since(since=NOW - HOUR, artist_spotify_id="moby")
    assert titles(new) == ["Play"]
    assert len(await album.list_new_since(since=NOW - HOUR)) == 4
    assert await album.list_new_since(since=NOW + HOUR, artist_spotify_id="moby") == []
    await make(TrackRepository, {"title": "2", "track_number": 2}, {"title": "1", "track_number": 1}, album_id=play.id)
    await make(TrackRepository, {"album_id": albums[0].id})
    of_play = {"album": {"some": {"spotify_id": "play"}}}
    assert titles(await track.query(of_play, order_by=["disc_number", "track_number", "id"])) == ["1", "2"]
    assert await track.count(of_play) == 2
    # Version 2's get_artist_albums_sync_status.
    found = await repos.metadata.artist.get_by_spotify_id("air")
    assert (found.albums_synced_at, await album.count(of_air)) == (None, 3)


async def test_what_was_read_is_noted_by_spotifys_id(repos, make):
    (air,) = await make(ArtistRepository, {"spotify_id": "air"})
    (album,) = await make(AlbumRepository, {"spotify_id": "moon", "artist_id": air.id})
    assert await repos.metadata.artist.set_albums_synced(spotify_id="air") == 1
    assert await repos.metadata.artist.set_albums_synced(spotify_id="moon") == 0
    assert await repos.metadata.album.set_tracks_synced(spotify_id="moon") == 1
    assert (await repos.metadata.artist.get(air.id)).albums_synced_at >= NOW
    assert (await repos.metadata.album.get(album.id)).tracks_synced_at >= NOW


async def test_an_artist_of_spotify_is_found_by_its_id_else_by_its_trimmed_name(repos, make):
    artists = repos.metadata.artist
    by_name, by_id = await make(
        ArtistRepository, {"name": "  Air "}, {"name": "Moby", "spotify_id": "moby", "image_url": "http://old"}
    )
    found = await artists.upsert_from_spotify(ArtistCreate(name="AIR", spotify_id="air", source="spotify"))
    assert (found.id, found.spotify_id, found.source) == (by_name.id, "air", "hybrid")
    found = await artists.upsert_from_spotify(ArtistCreate(name="Richard", spotify_id="moby", image_url=None))
    assert (found.id, found.name, found.image_url) == (by_id.id, "Richard", "http://old")
    made = await artists.upsert_from_spotify(ArtistCreate(name="Björk", spotify_id="bjork", source="spotify"))
    assert (made.spotify_uri, made.source) == ("spotify:artist:bjork", "spotify")
    assert await artists.count() == 3


async def test_albums_and_tracks_are_stored_under_a_parent_of_spotifys(repos, make):
    """Version 2's upsert_album and upsert_track: the parent is looked up first."""
    await make(ArtistRepository, {"name": "Air", "spotify_id": "air"})
    artist = await repos.metadata.artist.get_by_spotify_id("air")
    for is_saved, total in ((True, 10), (False, None)):
        new = AlbumCreate(
            title="Moon Safari", spotify_id="moon", artist_id=artist.id, is_saved=is_saved, total_tracks=total
        )
        album = await repos.metadata.album.upsert_from_provider(new)
    assert (album.is_saved, album.total_tracks, album.artist_id) == (True, 10, artist.id)
    found = await repos.metadata.album.get_by_spotify_id("moon")
    for number in (1, 2):
        new_track = TrackCreate(spotify_id="t", title="Talisman", artist="Air", album_id=found.id, track_number=number)
        track = await repos.library.track.upsert(new_track, on=["spotify_id"])
    assert (track.track_number, await repos.library.track.count(), await repos.metadata.album.count()) == (2, 1, 1)


async def test_an_artist_and_an_album_of_spotifys_are_made_once(repos):
    artists, albums = repos.metadata.artist, repos.metadata.album
    new = ArtistCreate(name="Air", spotify_id="air")
    made = await asyncio.gather(*(artists.get_or_create(new, on=["spotify_id"]) for _ in range(MANY)))
    assert sorted(is_new for _, is_new in made) == [False] * (MANY - 1) + [True]
    album = AlbumCreate(title="Moon Safari", spotify_id="moon", artist_id=made[0][0].id)
    found = await asyncio.gather(*(albums.get_or_create(album, on=["spotify_id"]) for _ in range(MANY)))
    assert len({row.id for row, _ in found}) == 1


async def test_artists_are_deleted_and_albums_unmarked_by_spotifys_ids(repos, make):
    await make(ArtistRepository, {"spotify_id": "a"}, {"spotify_id": "b"}, {})
    with pytest.raises(ValidationFailedError, match="it is what follows 'spotify:artist:'"):
        await repos.metadata.artist.delete_by_spotify_ids(spotify_ids=["a", "spotify:artist:b"])
    assert await repos.metadata.artist.delete_by_spotify_ids(spotify_ids=["a", "c"]) == 1
    assert await repos.metadata.artist.list_spotify_ids() == ["b"]
    await make(AlbumRepository, *({"spotify_id": f"{n}", "is_saved": n < 3} for n in range(4)))
    assert await repos.metadata.album.list_saved_spotify_ids() == ["0", "1", "2"]
    assert await repos.metadata.album.unmark_saved(spotify_ids=["1", "3", "9"]) == 1
    assert await repos.metadata.album.list_saved_spotify_ids() == ["0", "2"]


# The tracks of a playlist in their order.


@pytest.fixture
async def playlist(make):
    (playlist,) = await make(PlaylistRepository, {"spotify_id": "p", "name": "Mix"})
    return playlist


@pytest.fixture
async def tracks(make):
    return await make(TrackRepository, *({"title": f"{n}"} for n in range(MANY)))


async def test_a_playlist_is_stored_and_read_with_its_tracks(repos, soulspot, tracks):
    """Version 2's add, update, get_by_id, get_by_spotify_uri and list_all."""

    async def stored(tx):
        own = Repositories(tx).spotify.playlist
        playlist = await own.save(PlaylistCreate(spotify_id="p", name="Mix"))
        await own.add_to_tracks(playlist, [track.id for track in tracks[:3]])
        return playlist

    async def changed(tx):
        own = Repositories(tx).spotify.playlist
        await own.update(playlist.id, PlaylistUpdate(name="Remix"))
        await own.replace_tracks(playlist, [tracks[n].id for n in (2, 5, 0)])

    playlist = await soulspot.run_in_transaction(stored)
    playlists = repos.spotify.playlist
    assert titles(await playlists.tracks(playlist)) == ["0", "1", "2"]
    await soulspot.run_in_transaction(changed)
    found = await playlists.get_by_spotify_id("p")
    assert (found.name, titles(await playlists.tracks(found))) == ("Remix", ["2", "5", "0"])
    other = await playlists.save(PlaylistCreate(name="Other"))
    page = await playlists.page(order_by="name")
    assert [titles(each) for each in await playlists.tracks_of(page.items)] == [[], ["2", "5", "0"]]
    assert await playlists.tracks(other) == []


async def test_a_track_is_added_once_whoever_adds_it_at_once(repos, playlist, tracks):
    """Version 2's add_track: position = max + 1, without a race."""
    playlists, links = repos.spotify.playlist, repos.spotify.playlist_track
    added = await asyncio.gather(*(playlists.add_to_tracks(playlist, [tracks[n % 10].id]) for n in range(MANY)))
    assert sorted(added) == [0] * 10 + [1] * 10
    rows = await links.query({"playlist_id": playlist.id}, order_by="position")
    assert [row.position for row in rows] == list(range(10))
    assert await playlists.move_in_tracks(playlist, rows[9].track_id, 0) is True
    assert await playlists.remove_from_tracks(playlist, [rows[0].track_id]) == 1
    after = await links.query({"playlist_id": playlist.id}, order_by="position")
    assert [row.position for row in after] == list(range(9))
    assert after[0].track_id == rows[9].track_id


async def test_the_liked_songs_are_counted(repos, make, tracks):
    liked, other = await make(PlaylistRepository, {"is_liked_songs": True}, {})
    await repos.spotify.playlist.replace_tracks(liked, [track.id for track in tracks[:7]])
    await repos.spotify.playlist.replace_tracks(other, [track.id for track in tracks[:2]])
    assert await repos.spotify.playlist_track.count({"playlist": {"some": {"is_liked_songs": True}}}) == 7
