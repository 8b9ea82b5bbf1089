"""LibraryScan, on a real database: typed repositories are the database's own code, so there is nothing to fake."""

import asyncio
from dataclasses import replace

import pytest
from pydantic import ValidationError
from soulspot.library import LibraryScan, MusicFile
from soulspot_db_entities import Repositories
from soulspot_db_entities.library import Track

SAFARI = MusicFile("/music/Air/Moon Safari/01.flac", "La femme d'argent", "Air", "Moon Safari", 1, 428_000)
SEXY_BOY = replace(SAFARI, path="/music/Air/Moon Safari/02.flac", title="Sexy Boy", track_number=2)


@pytest.fixture
def scan(db):
    return LibraryScan(db)


@pytest.fixture
def repos(db):
    return Repositories(db)


async def test_a_file_becomes_a_track_of_its_artist_and_album(scan, repos):
    track = await scan.add(SAFARI)
    assert isinstance(track, Track)
    assert (track.title, track.artist, track.track_number) == ("La femme d'argent", "Air", 1)
    assert (track.file_path, track.duration_ms) == (SAFARI.path, 428_000)
    assert await repos.library.track.get(track.id) == track
    artist = await repos.metadata.artist.get_or_raise(track.artist_id)
    album = await repos.metadata.album.get_or_raise(track.album_id)
    assert (artist.name, album.title, album.artist_id) == ("Air", "Moon Safari", artist.id)


async def test_a_second_file_finds_the_artist_and_the_album_of_the_first(scan, repos):
    first, second = await scan.add(SAFARI), await scan.add(SEXY_BOY)
    assert (second.artist_id, second.album_id) == (first.artist_id, first.album_id)
    assert await repos.metadata.artist.count() == 1
    assert await repos.metadata.album.count() == 1


async def test_albums_of_one_title_by_two_artists_are_two_albums(scan):
    greatest = replace(SAFARI, album="Greatest Hits")
    air, queen = await scan.add(greatest), await scan.add(replace(greatest, artist="Queen"))
    assert air.artist_id != queen.artist_id
    assert air.album_id != queen.album_id


async def test_a_file_without_an_album_has_an_artist_only(scan, repos):
    track = await scan.add(replace(SAFARI, album=None, track_number=None))
    assert track.artist_id is not None
    assert track.album_id is None
    assert await repos.metadata.album.count() == 0


async def test_a_folder_becomes_tracks_in_its_order(scan, repos):
    tracks = await scan.add_folder([SEXY_BOY, SAFARI])
    assert [track.title for track in tracks] == ["Sexy Boy", "La femme d'argent"]
    assert len({track.album_id for track in tracks}) == 1
    assert await repos.library.track.count() == 2
    assert await repos.metadata.artist.count() == 1


async def test_a_folder_with_a_file_that_cannot_be_stored_leaves_nothing_behind(scan, repos):
    with pytest.raises(ValidationError):
        await scan.add_folder([SAFARI, replace(SEXY_BOY, title="s" * 256)])
    assert await repos.library.track.count() == 0
    assert await repos.metadata.artist.count() == 0
    assert await repos.metadata.album.count() == 0


async def test_scans_that_meet_a_new_artist_at_once_make_one_artist_and_one_album(scan, repos):
    await asyncio.gather(*(scan.add(SAFARI) for _ in range(5)), scan.add_folder([SEXY_BOY]))
    assert await repos.library.track.count() == 6
    assert await repos.metadata.artist.count() == 1
    assert await repos.metadata.album.count() == 1
