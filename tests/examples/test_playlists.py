"""PlaylistService: what is asked of a database, and what is in a real one afterwards."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from unittest.mock import ANY, AsyncMock

import pytest
from soulspot.playlists import PlaylistService, SpotifyClient, SpotifyPlaylist
from soulspot_db import ValidationFailedError

FOCUS = SpotifyPlaylist("37i9dQZF1DX0", "Focus", "No words", 40)
COFFEE = SpotifyPlaylist("37i9dQZF1DX1", "Coffee", None, 12)


@pytest.fixture
def spotify():
    client = AsyncMock(spec=SpotifyClient)
    client.get_user_playlists.return_value = [FOCUS, COFFEE]
    return client


async def test_a_new_playlist_is_saved_and_a_known_one_is_updated(fake_db, spotify):
    fake_db.get.side_effect = [None, {"id": "the-id-of-coffee", "spotify_id": COFFEE.id}]
    await PlaylistService(fake_db, spotify).sync_playlists("mira")
    assert [call.args for call in fake_db.get.await_args_list] == [("playlist", FOCUS.id), ("playlist", COFFEE.id)]
    fake_db.save.assert_awaited_once_with(
        "playlist",
        {
            "spotify_id": FOCUS.id,
            "user_id": "mira",
            "source": "spotify",
            "name": "Focus",
            "description": "No words",
            "track_count": 40,
            "last_synced_at": ANY,
        },
    )
    fake_db.update.assert_awaited_once_with(
        "playlist",
        "the-id-of-coffee",
        {"name": "Coffee", "description": None, "track_count": 12, "last_synced_at": ANY},
    )


async def test_the_users_playlists_are_returned_as_the_database_has_them(fake_db, spotify):
    spotify.get_user_playlists.return_value = []
    fake_db.query.return_value = [{"name": "Focus"}]
    assert await PlaylistService(fake_db, spotify).sync_playlists("mira") == [{"name": "Focus"}]
    spotify.get_user_playlists.assert_awaited_once_with("mira")
    fake_db.query.assert_awaited_once_with("playlist", {"user_id": "mira"}, order_by="name, id")


async def test_no_transaction_is_open_while_spotify_answers(fake_db, spotify):
    async def answer(_user_id):
        fake_db.transaction.assert_not_called()
        return []

    spotify.get_user_playlists.side_effect = answer
    await PlaylistService(fake_db, spotify).sync_playlists("mira")
    fake_db.transaction.assert_called_once()


async def test_a_first_sync_stores_every_playlist_and_returns_them_by_name(db, spotify):
    before = datetime.now(UTC)
    coffee, focus = await PlaylistService(db, spotify).sync_playlists("mira")
    assert (coffee["name"], coffee["description"], coffee["track_count"]) == ("Coffee", None, 12)
    assert (focus["name"], focus["description"], focus["track_count"]) == ("Focus", "No words", 40)
    assert {coffee["user_id"], focus["user_id"]} == {"mira"}
    assert before <= focus["last_synced_at"] <= datetime.now(UTC)


async def test_a_second_sync_changes_the_same_rows(db, spotify):
    service = PlaylistService(db, spotify)
    coffee, focus = await service.sync_playlists("mira")
    spotify.get_user_playlists.return_value = [
        COFFEE,
        replace(FOCUS, name="Deep Focus", description=None, track_count=41),
    ]
    coffee_again, deep_focus = await service.sync_playlists("mira")
    assert [coffee_again["id"], deep_focus["id"]] == [coffee["id"], focus["id"]]
    assert (deep_focus["name"], deep_focus["description"], deep_focus["track_count"]) == ("Deep Focus", None, 41)
    assert deep_focus["created_at"] == focus["created_at"]
    assert deep_focus["last_synced_at"] > focus["last_synced_at"]
    assert coffee_again["last_synced_at"] > coffee["last_synced_at"]


async def test_a_user_gets_no_playlists_of_others(db, spotify):
    service = PlaylistService(db, spotify)
    await service.sync_playlists("mira")
    spotify.get_user_playlists.return_value = [SpotifyPlaylist("37i9dQZF1DX2", "Loud", None, 3)]
    assert [playlist["name"] for playlist in await service.sync_playlists("jonas")] == ["Loud"]


async def test_a_playlist_that_cannot_be_stored_undoes_the_whole_sync(db, spotify):
    spotify.get_user_playlists.return_value = [FOCUS, replace(COFFEE, name="c" * 256)]
    with pytest.raises(ValidationFailedError):
        await PlaylistService(db, spotify).sync_playlists("mira")
    assert await db.count("playlist") == 0


async def test_syncs_of_one_user_at_the_same_time_store_each_playlist_once(db, spotify):
    service = PlaylistService(db, spotify)
    results = await asyncio.gather(*(service.sync_playlists("mira") for _ in range(4)))
    assert {len(playlists) for playlists in results} == {2}
    assert await db.count("playlist") == 2
