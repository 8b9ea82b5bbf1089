"""SoulSpot's tracks with artist and album, by the methods that are generated for them."""

import homes
import pytest
from soulspot_db import Relative, ValidationFailedError
from soulspot_db_entities.library import TrackIncluded, TrackRepository
from soulspot_db_entities.metadata import AlbumRepository, ArtistRepository

DATABASES = homes.BOTH


async def test_tracks_come_with_artist_and_album(make, repos):
    air, _ = await make(ArtistRepository, {"name": "Air"}, {"name": "Other"})
    (safari,) = await make(AlbumRepository, {"title": "Moon Safari", "artist_id": air.id})
    await make(
        TrackRepository,
        {"title": "Talisman", "artist_id": air.id, "album_id": safari.id},
        {"title": "Demo", "artist_id": air.id, "album_id": None},
    )
    tracks, albums = repos.library.track, repos.metadata.album
    rows = await tracks.query(order_by="title desc")
    one, other = await tracks.include(rows, "main_artist", "album")
    assert isinstance(one, TrackIncluded)
    assert (one.row, one.main_artist, one.album) == (rows[0], air, safari)
    assert (other.row.title, other.album) == ("Demo", None)
    with pytest.raises(ValidationFailedError, match="playlists was not included with this Track"):
        _ = one.playlists
    (album,) = await albums.include([one.album], "tracks", "artist")
    assert (album.artist, album.tracks) == (air, [one.row])


def test_the_class_has_what_it_can_have():
    assert isinstance(TrackIncluded.album, Relative)
