"""What replaces version 2's lists, counts, look-ups, columns and groups, on rows."""

import datetime as dt

import homes
import pytest
from soulspot_db import UNSET
from soulspot_db_entities.automation import (
    ArtistWatchlistRepository,
    AutomationRuleRepository,
    FilterRuleRepository,
    QualityUpgradeCandidateRepository,
)
from soulspot_db_entities.deezer import DeezerSessionRepository
from soulspot_db_entities.library import DuplicateCandidateRepository, TrackRepository
from soulspot_db_entities.metadata import (
    AlbumRepository,
    ArtistDiscographyRepository,
    ArtistRepository,
    EnrichmentCandidateRepository,
)
from soulspot_db_entities.soulseek import BlocklistEntryRepository, DownloadRepository, DownloadUpdate
from soulspot_db_entities.spotify import PlaylistRepository, SpotifySessionRepository, SpotifyTokenRepository

DATABASES = homes.BOTH
NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
async def artists(make):
    return await make(
        ArtistRepository,
        {"name": "Air", "source": "spotify", "spotify_uri": "spotify:artist:air", "image_url": "http://air"},
        {"name": "Beck", "source": "hybrid", "spotify_uri": "spotify:artist:beck", "deezer_id": "b", "tidal_id": "b"},
        {"name": "Cake", "source": "deezer", "deezer_id": "c", "image_url": ""},
        {"name": "Devo", "source": "spotify", "spotify_uri": "spotify:artist:devo", "image_url": "http://devo"}
        | {"image_path": "/devo.jpg", "albums_synced_at": NOW - 2 * HOUR, "deezer_id": "d"},
        {"name": "Elo", "source": "spotify", "spotify_uri": "spotify:artist:elo", "albums_synced_at": NOW - 9 * HOUR}
        | {"deezer_id": "e"},
    )


def names(rows):
    return [row.name for row in rows]


def titles(rows):
    return [row.title for row in rows]


async def test_list_by_source_with_limit_and_offset(repos, artists):
    found = await repos.metadata.artist.query({"source": ["spotify", "hybrid"]}, order_by="name", limit=2, offset=1)
    assert names(found) == ["Beck", "Devo"]


async def test_list_as_pages_of_all_sources_or_of_one(repos, artists):
    first = await repos.metadata.artist.list_unified(limit=2)
    second = await repos.metadata.artist.list_unified(limit=2, after=first.next)
    third = await repos.metadata.artist.list_unified(limit=2, after=second.next)
    assert [names(page.items) for page in (first, second, third)] == [["Air", "Beck"], ["Cake", "Devo"], ["Elo"]]
    assert third.next is None
    assert names((await repos.metadata.artist.list_unified(limit=2, before=third.previous)).items) == ["Cake", "Devo"]
    assert names((await repos.metadata.artist.list_unified(source="spotify")).items) == ["Air", "Devo", "Elo"]


async def test_lists_of_artists_that_lack_something(repos, artists):
    artist = repos.metadata.artist
    assert names(await artist.list_missing_artwork()) == ["Beck", "Elo"]
    assert names(await artist.list_needing_image_download()) == ["Air"]
    assert names(await artist.list_missing_provider_ids()) == ["Air", "Cake", "Devo", "Elo"]
    assert names(await artist.list_missing_provider_ids(limit=2)) == ["Air", "Cake"]


async def test_lists_by_when_something_was_done_the_never_done_first(repos, artists):
    artist = repos.metadata.artist
    assert names(await artist.list_needing_discography_sync(synced_before=NOW - HOUR)) == [
        "Beck",
        "Cake",
        "Elo",
        "Devo",
    ]
    assert names(await artist.list_needing_discography_sync(synced_before=NOW - 5 * HOUR)) == ["Beck", "Cake", "Elo"]
    assert names(await artist.list_pending_album_sync(source="spotify")) == ["Air"]
    assert await artist.count_pending_album_sync(source="spotify") == 1
    assert names(await artist.list_due_for_resync(source="spotify", synced_before=NOW - HOUR)) == ["Elo", "Devo"]
    assert await artist.count_due_for_resync(source="spotify", synced_before=NOW - 5 * HOUR) == 1
    assert await artist.update_albums_synced_at(id=artists[4].id) == 1
    assert names(await artist.list_due_for_resync(source="spotify", synced_before=NOW - HOUR)) == ["Devo"]


async def test_counts(repos, artists, make):
    artist = repos.metadata.artist
    assert await artist.count() == await artist.count_by_source() == 5
    assert await artist.count_by_source(source="spotify") == 3
    assert await artist.count({"ownership_state": "owned"}) == 5
    assert await artist.count_with_spotify_uri() == 4
    await make(PlaylistRepository, {"source": "SPOTIFY"}, {"source": "spotify"}, {"source": "manual"})
    assert await repos.spotify.playlist.count_by_source(source="Spotify") == 2


async def test_a_column_of_what_is_not_null(repos, artists, make):
    artist = repos.metadata.artist
    assert await artist.list_spotify_ids() == ["air", "beck", "devo", "elo"]
    assert await artist.list_spotify_ids(source="hybrid") == ["beck"]
    await make(PlaylistRepository, {"spotify_id": "p2"}, {"spotify_id": "p1"}, {"spotify_id": None})
    assert await repos.spotify.playlist.list_spotify_ids() == ["p1", "p2"]


async def test_get_by_what_is_unique_and_by_what_is_not(repos, artists, make):
    artist = repos.metadata.artist
    assert (await artist.get_by_deezer_id("c")).name == "Cake"
    assert await artist.get_by_tidal_id("c") is None
    await make(ArtistRepository, {"name": "Air"})
    assert await artist.get_by_name(name="Air") == artists[0]
    assert await artist.get_by_name(name="air") is None


async def test_get_by_title_in_upper_or_lower_case(repos, artists, make):
    air, beck = artists[:2]
    (safari,) = await make(AlbumRepository, {"title": "Moon Safari"}, artist_id=air.id)
    await make(AlbumRepository, {"title": "Moon Safari"}, artist_id=beck.id)
    assert await repos.metadata.album.get_by_title_and_artist(title="MOON safari", artist_id=air.id) == safari
    (track,) = await make(TrackRepository, {"title": "La Femme d'Argent", "artist": "Air", "album_id": safari.id})
    tracks = repos.library.track
    assert await tracks.get_by_title_and_artist(title="la femme d'argent", artist="AIR") == track
    assert await tracks.get_by_title_and_album(title="LA FEMME D'ARGENT", album_id=safari.id) == track
    assert await tracks.get_by_title_and_album(title="La femme", album_id=safari.id) is None


async def test_albums_that_lack_something_or_were_saved(repos, artists, make):
    await make(
        AlbumRepository,
        {"title": "a", "musicbrainz_id": "m-a", "spotify_uri": "spotify:album:a", "is_saved": True},
        {"title": "b", "cover_url": "http://b", "musicbrainz_id": "m-b", "deezer_id": "b", "tidal_id": "b"}
        | {"spotify_uri": "spotify:album:b", "tracks_synced_at": NOW, "source": "spotify"},
        {"title": "c", "cover_url": "http://c", "cover_path": "/c.jpg", "is_saved": True},
        {"title": "d", "cover_url": "", "musicbrainz_id": "m-d", "spotify_uri": "spotify:album:d", "source": "spotify"},
        artist_id=artists[0].id,
    )
    album = repos.metadata.album
    assert titles(await album.list_with_mbid_needing_cover()) == ["a", "d"]
    assert titles(await album.list_needing_cover_download()) == ["b"]
    assert titles(await album.list_missing_provider_ids()) == ["a", "c", "d"]
    assert titles(await album.list_pending_track_sync()) == ["a", "d"]
    assert titles(await album.list_pending_track_sync(source="spotify")) == ["d"]
    assert (await album.count_pending_track_sync(), await album.count_with_spotify_uri()) == (2, 3)
    assert await album.list_saved_spotify_ids() == ["a"]
    assert (await album.count_saved(), await album.count_by_source(source="spotify")) == (2, 2)
    assert titles(await album.list_new_since(since=NOW - HOUR))[::-1] == ["a", "b", "c", "d"]
    assert await album.list_new_since(since=NOW - HOUR, artist_id=artists[1].id) == []
    assert await album.count({"artist_id": artists[0].id}) == 4
    assert await album.update_tracks_synced_at(id=(await album.get_by_musicbrainz_id("m-d")).id) == 1
    assert titles(await album.list_pending_track_sync()) == ["a"]


async def test_tracks_of_an_album_as_they_are_played_and_singles(repos, artists, make):
    (album,) = await make(AlbumRepository, {}, artist_id=artists[0].id)
    await make(
        TrackRepository,
        {"title": "2-1", "disc_number": 2, "track_number": 1},
        {"title": "1-2", "track_number": 2},
        {"title": "1-1", "track_number": 1},
        album_id=album.id,
        artist_id=artists[0].id,
    )
    await make(TrackRepository, {"title": "z"}, {"title": "y"}, artist_id=artists[0].id, album_id=None)
    assert titles(await repos.library.track.list_by_album(album_id=album.id)) == ["1-1", "1-2", "2-1"]
    assert titles(await repos.library.track.list_singles_by_artist(artist_id=artists[0].id)) == ["y", "z"]
    assert await repos.library.track.count_singles_by_artist(artist_id=artists[0].id) == 2
    assert len(await repos.library.track.query({"artist_id": artists[0].id})) == 5


async def test_tracks_by_words_and_by_what_they_lack(repos, make):
    await make(
        TrackRepository,
        {"title": "Loser", "artist": "Beck", "isrc": "US1"},
        {"title": "Beautiful Loser", "artist": "Bob Seger", "isrc": "US2", "spotify_id": "s2", "deezer_id": "d2"},
        {"title": "100% lost", "artist": "Beck", "isrc": "US3", "spotify_id": "s3"},
        {"title": "Else", "artist": "Beck", "isrc": None, "tidal_id": "t"},
    )
    track = repos.library.track
    assert titles(await track.search_by_title_artist(title="LOSER")) == ["Beautiful Loser", "Loser"]
    assert titles(await track.search_by_title_artist(title="los", artist="beck")) == ["100% lost", "Loser"]
    assert titles(await track.search_by_title_artist(title="%")) == ["100% lost"]
    assert titles(await track.search_by_title_artist(title="l", limit=1)) == ["100% lost"]
    assert titles(await track.list_unenriched_with_isrc()) == ["Loser"]
    assert titles(await track.list_without_deezer_id_with_isrc()) == ["Loser", "100% lost"]
    assert len(await track.list_missing_provider_ids(limit=3)) == 3
    assert await track.count_with_spotify_id() == 2


async def test_downloads_that_may_be_tried_again(repos, make):
    """No row is left out after the limit, as version 2 did: the page is full."""
    due = {"status": "failed", "next_retry_at": NOW - HOUR}
    await make(
        DownloadRepository,
        due | {"error_message": "tried too often", "retry_count": 3, "priority": 9},
        due | {"error_message": "not yet", "next_retry_at": NOW + HOUR, "priority": 9},
        due | {"error_message": "never", "next_retry_at": None, "priority": 9},
        due | {"error_message": "second", "retry_count": 2},
        due | {"error_message": "first", "retry_count": 4, "max_retries": 5, "priority": 1},
        due | {"error_message": "third"},
        due | {"error_message": "other", "status": "cancelled"},
    )
    found = await repos.soulseek.download.list_retry_eligible(limit=2)
    assert [row.error_message for row in found] == ["first", "second"]
    assert [row.error_message for row in await repos.soulseek.download.list_retry_eligible()] == [
        "first",
        "second",
        "third",
    ]
    tracks = await repos.library.track.get_many([row.track_id for row in found])
    assert [track.id for track in tracks] == [row.track_id for row in found]


async def test_downloads_by_status(repos, make):
    (track,) = await make(TrackRepository, {})
    statuses = ["waiting", "pending", "queued", "downloading", "completed", "completed", "failed"]
    rows = await make(DownloadRepository, *({"status": status} for status in statuses), track_id=track.id)
    download = repos.soulseek.download
    await download.update(rows[2].id, DownloadUpdate(priority=5))
    assert [row.status for row in (await download.list_active()).items] == ["queued", "pending", "downloading"]
    assert [row.status for row in await download.list_waiting()] == ["waiting"]
    assert await download.count_active() == 3
    assert {row.status: row.n for row in await download.count_by_status()} == {
        "waiting": 1,
        "pending": 1,
        "queued": 1,
        "downloading": 1,
        "completed": 2,
        "failed": 1,
    }
    assert await download.list_completed_track_ids() == [track.id]
    assert (await download.get_by_track(track_id=track.id)).id == rows[-1].id


async def test_how_many_releases_of_each_type_and_how_many_of_them_the_user_has(repos, artists, make):
    await make(
        ArtistDiscographyRepository,
        {"title": "a", "is_owned": True, "release_date": "1998"},
        {"title": "b", "release_date": None},
        {"title": "c", "release_date": "2004-01"},
        {"title": "d", "album_type": "ep", "is_owned": True},
        {"title": "e", "album_type": "single", "release_date": "2001"},
        artist_id=artists[0].id,
    )
    await make(ArtistDiscographyRepository, {"title": "f", "is_owned": True}, artist_id=artists[1].id)
    discography, air = repos.metadata.artist_discography, artists[0].id
    stats = await discography.get_stats_for_artist(artist_id=air)
    assert [(row.album_type, row.n, row.owned) for row in stats] == [("album", 3, 1), ("ep", 1, 1), ("single", 1, 0)]
    assert await discography.get_stats_for_artist(artist_id=artists[2].id) == []
    assert titles(await discography.list_for_artist(artist_id=air)) == ["c", "e", "a", "b", "d"]
    assert titles(await discography.list_for_artist(artist_id=air, album_types=["album", "ep"])) == ["c", "a", "b", "d"]
    assert titles(await discography.list_missing_for_artist(artist_id=air)) == ["c", "e", "b"]
    assert titles(await discography.list_missing_for_artist(artist_id=air, album_types=["single"])) == ["e"]
    assert await discography.list_for_artist(artist_id=air, album_types=[]) == []


async def test_pairs_of_duplicates(repos, make):
    rows = await make(
        DuplicateCandidateRepository,
        {"status": "pending", "similarity_score": 70},
        {"status": "pending", "similarity_score": 90},
        {"status": "confirmed", "similarity_score": 99},
    )
    pairs = repos.library.duplicate_candidate
    assert [row.similarity_score for row in await pairs.list_pending()] == [90, 70]
    assert [row.similarity_score for row in await pairs.list_by_status(status="confirmed", limit=5)] == [99]
    assert [(row.status, row.n) for row in await pairs.count_by_status()] == [("confirmed", 1), ("pending", 2)]
    assert await pairs.exists({"track_id_1": rows[0].track_id_1, "track_id_2": rows[0].track_id_2})
    assert not await pairs.exists({"track_id_1": rows[0].track_id_1, "track_id_2": rows[1].track_id_2})


@pytest.mark.parametrize(
    ("entry", "blocked"),
    [
        ({"username": "ann", "filepath": "x.mp3"}, [("ann", "x.mp3")]),
        ({"username": "ann", "filepath": None}, [("ann", "x.mp3"), ("ann", "y.mp3")]),
        ({"username": None, "filepath": "x.mp3"}, [("ann", "x.mp3"), ("bob", "x.mp3")]),
        ({"username": "ann", "filepath": None, "expires_at": NOW + HOUR}, [("ann", "x.mp3"), ("ann", "y.mp3")]),
        ({"username": "ann", "filepath": None, "expires_at": NOW - HOUR}, []),
    ],
)
async def test_a_file_is_blocked_by_its_user_its_path_or_both_until_that_expires(repos, make, entry, blocked):
    await make(BlocklistEntryRepository, entry)
    pairs = [(user, path) for user in ("ann", "bob") for path in ("x.mp3", "y.mp3")]
    entries = repos.soulseek.blocklist_entry
    assert [pair for pair in pairs if await entries.is_blocked(username=pair[0], filepath=pair[1])] == blocked


async def test_entries_of_the_blocklist_that_hold_and_those_that_expired(repos, make):
    await make(
        BlocklistEntryRepository,
        {"username": "ann", "filepath": None, "blocked_at": NOW - HOUR, "expires_at": None},
        {"username": "ann", "filepath": "x", "blocked_at": NOW, "expires_at": NOW + HOUR},
        {"username": None, "filepath": "x", "expires_at": NOW - HOUR},
    )
    entries = repos.soulseek.blocklist_entry
    assert [row.filepath for row in await entries.list_active()] == ["x", None]
    assert await entries.count_active() == 2
    assert [row.username for row in await entries.list_expired()] == [None]
    assert (await entries.get_by_source(username="ann", filepath=None)).expires_at is None
    assert (await entries.get_by_source(username=None, filepath="x")).username is None
    assert await entries.get_by_source(username="bob", filepath=None) is None
    assert await entries.delete_expired() == 1
    assert await entries.list_expired() == []


async def test_rules_as_they_are_tried(repos, make):
    await make(
        FilterRuleRepository,
        {"name": "a", "filter_type": "whitelist", "enabled": True},
        {"name": "b", "filter_type": "whitelist", "enabled": True, "priority": 2},
        {"name": "c", "filter_type": "whitelist", "enabled": False, "priority": 9},
        {"name": "d", "filter_type": "blacklist", "enabled": True, "priority": 1},
    )
    rules = repos.automation.filter_rule
    assert names(await rules.list_enabled()) == ["b", "d", "a"]
    assert names(await rules.list_by_type(filter_type="whitelist")) == ["c", "b", "a"]
    assert names(await rules.list_by_type(filter_type="whitelist", enabled=True)) == ["b", "a"]
    assert names(await rules.list_by_type(filter_type="whitelist", enabled=UNSET)) == ["c", "b", "a"]
    await make(
        AutomationRuleRepository,
        {"name": "a", "trigger": "new_release", "priority": 1},
        {"name": "b", "trigger": "new_release", "enabled": False},
        {"name": "c", "trigger": "missing_album", "priority": 2},
    )
    assert names(await repos.automation.automation_rule.list_by_trigger(trigger="new_release")) == ["a", "b"]
    assert names(await repos.automation.automation_rule.list_enabled()) == ["c", "a"]


async def test_watches_and_better_qualities(repos, artists, make):
    watches = await make(
        ArtistWatchlistRepository,
        *({"artist_id": artist.id, "status": status} for artist in artists[:2] for status in ("paused", "active")),
    )
    watchlist = repos.automation.artist_watchlist
    assert await watchlist.get_by_artist_id(artist_id=artists[1].id) == watches[2]
    assert (await watchlist.list_active()).items == [watches[1], watches[3]]
    await make(
        QualityUpgradeCandidateRepository,
        {"improvement_score": 0.2},
        {"improvement_score": 0.9, "processed": True},
        {"improvement_score": 0.5},
    )
    candidates = repos.automation.quality_upgrade_candidate
    assert [row.improvement_score for row in await candidates.list_unprocessed()] == [0.5, 0.2]
    assert [row.improvement_score for row in await candidates.list_unprocessed(min_score=0.5)] == [0.5]
    best = await candidates.list_by_improvement_score(min_score=0.5, limit=1)
    assert [row.improvement_score for row in best] == [0.9]
    assert await candidates.get_by_track_id(track_id=best[0].track_id) == best[0]
    assert (await candidates.delete_processed(), await candidates.count()) == (1, 2)


async def test_what_an_artist_may_be_on_spotify(repos, artists, make):
    air, beck = artists[0].id, artists[1].id
    await make(
        EnrichmentCandidateRepository,
        {"spotify_name": "a", "entity_type": "artist", "entity_id": air, "confidence_score": 0.1},
        {"spotify_name": "b", "entity_type": "artist", "entity_id": air, "confidence_score": 0.9},
        {"spotify_name": "c", "entity_type": "artist", "entity_id": air, "is_rejected": True},
        {"spotify_name": "d", "entity_type": "album", "entity_id": air, "confidence_score": 0.4},
        {"spotify_name": "e", "entity_type": "artist", "entity_id": beck, "confidence_score": 0.3},
    )
    candidates = repos.metadata.enrichment_candidate

    def found(rows):
        return [row.spotify_name for row in rows]

    assert found(await candidates.list_by_entity(entity_type="artist", entity_id=air)) == ["b", "a", "c"]
    assert found(await candidates.list_pending_for_entity(entity_type="artist", entity_id=air)) == ["b", "a"]
    assert found((await candidates.list_pending()).items) == ["b", "d", "e", "a"]
    page = await candidates.list_pending(entity_type="artist", limit=2)
    assert found(page.items) == ["b", "e"]
    assert found((await candidates.list_pending(entity_type="artist", after=page.next)).items) == ["a"]
    assert (await candidates.count_pending(), await candidates.count_pending(entity_type="album")) == (4, 1)


async def test_logins_and_tokens(repos, make):
    await make(
        DeezerSessionRepository,
        {"session_id": "a", "access_token": None, "oauth_state": "state-a"},
        {"session_id": "b", "access_token": "t", "last_accessed_at": NOW - HOUR},
        {"session_id": "c", "access_token": "t", "last_accessed_at": NOW},
    )
    assert [row.session_id for row in await repos.deezer.deezer_session.list_active()] == ["c", "b"]
    await make(SpotifySessionRepository, {"session_id": "a", "oauth_state": "state-a"}, {"session_id": "b"})
    for sessions in (repos.deezer.deezer_session, repos.spotify.spotify_session):
        assert (await sessions.get_by_oauth_state(oauth_state="state-a")).session_id == "a"
        assert await sessions.get_by_oauth_state(oauth_state="state-b") is None
    tokens = repos.spotify.spotify_token
    assert await tokens.get_active() is None
    await make(SpotifyTokenRepository, {"id": "default", "token_expires_at": NOW + HOUR})
    assert (await tokens.get_active()).id == "default"
    assert await tokens.get_expiring_soon(expires_before=NOW + HOUR / 2) is None
    assert (await tokens.get_expiring_soon(expires_before=NOW + 2 * HOUR)).id == "default"
    await tokens.mark_invalid(id=(await tokens.get_active()).id, error="revoked")
    assert await tokens.get_active() is None
    assert await tokens.get_expiring_soon(expires_before=NOW + 2 * HOUR) is None
