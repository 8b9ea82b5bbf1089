"""LikedSongs, on a database: version 2's sync_liked_songs_tracks."""

from soulspot.liked_songs import LikedSong, LikedSongs
from soulspot_db_entities import Repositories

SONGS = {
    title.lower(): LikedSong(f"id-{title.lower()}", title, f"artist-of-{title[0].lower()}", title[0])
    for title in ("Talisman", "Remember", "Run", "Tom's Diner")
}


def some(*names):
    return [SONGS[name] for name in names]


async def titles(db):
    (playlist,) = await db.query("playlist", {"is_liked_songs": True}, fresh=True)
    return [track["title"] for track in await db.related("playlist", playlist["id"], "tracks", fresh=True)]


async def test_the_playlist_holds_the_songs_in_their_order(db):
    liked = LikedSongs(db)
    playlist = await liked.sync(some("talisman", "remember", "run"))
    assert (playlist.track_count, playlist.name) == (3, "Liked Songs")
    assert await titles(db) == ["Talisman", "Remember", "Run"]
    again = await liked.sync(some("tom's diner", "run", "talisman", "run"))
    assert (again.id, again.track_count) == (playlist.id, 3)
    assert await titles(db) == ["Tom's Diner", "Run", "Talisman"]
    assert await db.count("track") == 4
    assert await db.count("artist") == 2
    assert (await db.get("artist", "artist-of-t"))["spotify_uri"] == "spotify:artist:artist-of-t"


async def test_what_is_known_already_stays(db):
    repos = Repositories(db)
    await LikedSongs(db).sync(some("talisman"))
    before = await repos.library.track.get_by_spotify_id("id-talisman")
    await LikedSongs(db).sync(some("talisman"))
    assert await repos.library.track.get_by_spotify_id("id-talisman", fresh=True) == before


async def test_no_songs_leave_an_empty_playlist(db):
    await LikedSongs(db).sync(some("talisman"))
    await LikedSongs(db).sync([])
    assert await titles(db) == []
    assert await db.count("track") == 1
