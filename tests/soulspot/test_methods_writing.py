"""What replaces version 2's patches, updates and deletes of several rows, and claims, on rows, with many at once."""

import asyncio
import datetime as dt

import homes
import pytest
from soulspot_db import ConstraintViolationError, UnsafeWriteError, ValidationFailedError
from soulspot_db_entities import Repositories
from soulspot_db_entities.automation import (
    QualityProfileCreate,
    QualityProfileRepository,
    QualityProfileUpdate,
)
from soulspot_db_entities.core import BackgroundJobRepository
from soulspot_db_entities.deezer import DeezerSessionRepository, DeezerSessionUpdate
from soulspot_db_entities.library import DuplicateCandidateRepository, TrackCreate, TrackRepository, TrackUpdate
from soulspot_db_entities.metadata import (
    AlbumRepository,
    AlbumUpdate,
    ArtistCreate,
    ArtistDiscographyRepository,
    ArtistRepository,
    ArtistUpdate,
    EnrichmentCandidateRepository,
)
from soulspot_db_entities.spotify import (
    PlaylistRepository,
    SpotifySessionId,
    SpotifySessionRepository,
    SpotifySessionUpdate,
    SpotifyTokenRepository,
)

DATABASES = homes.BOTH
NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)
MANY = 20


async def test_insert_patch_and_delete_by_key(repos):
    artists = repos.metadata.artist
    air = await artists.save(ArtistCreate(name="Air", deezer_id="d"))
    changed = await artists.update(air.id, ArtistUpdate(spotify_uri="spotify:artist:air"))
    assert (changed.name, changed.deezer_id, changed.spotify_uri) == ("Air", "d", "spotify:artist:air")
    assert await artists.delete(air.id) is True
    assert await artists.update(air.id, ArtistUpdate(name="x")) is None
    assert await artists.delete(air.id) is False


async def test_insert_many_or_none(repos):
    new = [TrackCreate(title=f"{n}", artist="Air", isrc=f"FR{n}") for n in range(3)]
    assert len(await repos.library.track.save_many(new)) == 3
    with pytest.raises(ConstraintViolationError):
        await repos.library.track.save_many([TrackCreate(title="3", artist="Air"), new[0]])
    assert await repos.library.track.count() == 3


async def test_update_many_with_values_of_their_own_or_none(repos, soulspot, make):
    """Version 2's update_batch."""
    rows = await make(TrackRepository, {"title": "a"}, {"title": "b", "isrc": "B"})

    async def number(isrcs):
        async with soulspot.transaction() as tx:
            for row, isrc in zip(rows, isrcs, strict=True):
                await Repositories(tx).library.track.update(row.id, TrackUpdate(isrc=isrc))

    with pytest.raises(ConstraintViolationError):
        await number(["X", "X"])
    assert [row.isrc for row in await repos.library.track.get_many([row.id for row in rows])] == [None, "B"]
    await number(["X", "Y"])
    assert [row.isrc for row in await repos.library.track.get_many([row.id for row in rows])] == ["X", "Y"]


async def test_a_value_of_the_provider_is_translated_and_then_patched(repos, make):
    """Version 2's update_primary_type."""
    (album,) = await make(AlbumRepository, {"primary_type": "album"})
    types = {"compile": "compilation", "EP": "ep"}
    await repos.metadata.album.update(album.id, AlbumUpdate(primary_type=types["EP"]))
    assert (await repos.metadata.album.get(album.id)).primary_type == "ep"


async def test_what_was_found_about_duplicates(repos, make):
    one, two, three = await make(DuplicateCandidateRepository, {}, {}, {})
    pairs = repos.library.duplicate_candidate
    assert await pairs.confirm(id=one.id) == await pairs.dismiss(id=two.id) == 1
    assert await pairs.resolve(id=three.id, action="kept_first") == 1
    found = await pairs.get_many([one.id, two.id, three.id])
    assert [(row.status, row.resolution_action) for row in found] == [
        ("confirmed", None),
        ("dismissed", None),
        ("resolved", "kept_first"),
    ]
    assert all(row.reviewed_at >= NOW for row in found)
    await pairs.delete(one.id)
    assert await pairs.confirm(id=one.id) == 0


async def test_tokens_after_a_refresh_and_after_a_refused_one(repos, make):
    (token,) = await make(SpotifyTokenRepository, {"id": "default", "access_token": "a1", "refresh_token": "r1"})
    tokens = repos.spotify.spotify_token
    assert await tokens.mark_invalid(id=token.id, error="revoked") == 1
    row = await tokens.get(token.id)
    assert (row.is_valid, row.last_error, row.last_error_at >= NOW) == (False, "revoked", True)
    assert await tokens.update_after_refresh(id=token.id, access_token="a2", token_expires_at=NOW + HOUR) == 1
    row = await tokens.get(token.id)
    assert (row.access_token, row.refresh_token, row.is_valid, row.last_error) == ("a2", "r1", True, None)
    assert row.last_refreshed_at >= NOW
    await tokens.update_after_refresh(id=token.id, access_token="a3", refresh_token="r3", token_expires_at=NOW)
    assert (await tokens.get(token.id)).refresh_token == "r3"


async def test_a_login_is_found_and_touched(repos, make):
    old = NOW - HOUR
    await make(SpotifySessionRepository, {"session_id": "a", "oauth_state": "s", "last_accessed_at": old})
    sessions, a = repos.spotify.spotify_session, SpotifySessionId("a")
    now = dt.datetime.now(dt.UTC)
    found = await sessions.update(a, SpotifySessionUpdate(last_accessed_at=now))
    assert (found.oauth_state, found.last_accessed_at) == ("s", now)
    assert await sessions.update(SpotifySessionId("b"), SpotifySessionUpdate(last_accessed_at=now)) is None
    found = await sessions.get_by_oauth_state(oauth_state="s")
    assert (await sessions.update(found.session_id, SpotifySessionUpdate(oauth_state=None))).oauth_state is None
    await make(DeezerSessionRepository, {"session_id": "a", "last_accessed_at": old})
    (row,) = await repos.deezer.deezer_session.query()
    assert (
        await repos.deezer.deezer_session.update(row.session_id, DeezerSessionUpdate(last_accessed_at=now))
    ) is not None


async def test_a_login_is_not_found_by_no_state_at_all(repos, make):
    await make(SpotifySessionRepository, {"session_id": "a", "oauth_state": None})
    with pytest.raises(ValidationFailedError):
        await repos.spotify.spotify_session.get_by_oauth_state(oauth_state=None)


async def test_logins_that_nobody_uses_are_forgotten(repos, make):
    for repository, sessions in (
        (SpotifySessionRepository, repos.spotify.spotify_session),
        (DeezerSessionRepository, repos.deezer.deezer_session),
    ):
        await make(
            repository,
            {"session_id": "a", "last_accessed_at": NOW - 2 * HOUR},
            {"session_id": "b", "last_accessed_at": NOW - 3 * HOUR},
            {"session_id": "c", "last_accessed_at": NOW},
            {"session_id": "d", "last_accessed_at": NOW, "expires_at": NOW},
        )
        assert await sessions.cleanup_expired(unused_since=NOW - HOUR) == 2
        assert [row.session_id for row in await sessions.query()] == ["c"]
        assert await sessions.cleanup_expired(unused_since=NOW - HOUR) == 0
        assert await sessions.get("d") is None
        assert await sessions.purge_expired() == 1


async def test_rows_of_others_stay(repos, make):
    air, beck = await make(ArtistRepository, {"spotify_id": "a1"}, {"spotify_id": "a2"})
    await make(ArtistDiscographyRepository, {"title": "a"}, {"title": "b"}, artist_id=air.id)
    await make(ArtistDiscographyRepository, {"title": "a"}, artist_id=beck.id)
    assert await repos.metadata.artist_discography.delete_for_artist(artist_id=air.id) == 2
    await make(EnrichmentCandidateRepository, {"entity_type": "artist"}, {"entity_type": "album"}, entity_id=air.id)
    assert await repos.metadata.enrichment_candidate.delete_for_entity(entity_type="artist", entity_id=air.id) == 1
    assert await repos.metadata.enrichment_candidate.count() == 1
    await make(AlbumRepository, {}, artist_id=air.id)
    assert await repos.metadata.artist.delete_by_spotify_ids(spotify_ids=["a1", "nobody's"]) == 1
    assert await repos.metadata.artist.delete_by_spotify_ids(spotify_ids=[]) == 0
    assert (await repos.metadata.artist.query(), await repos.metadata.album.query()) == ([beck], [])
    await make(PlaylistRepository, {"spotify_id": "p1"}, {"spotify_id": "p2"}, {"spotify_id": None})
    assert await repos.spotify.playlist.delete_where({"spotify_id": ["p1", "p3"]}) == 1
    assert await repos.spotify.playlist.delete_where({"spotify_id": []}) == 0
    assert await repos.spotify.playlist.count() == 2
    with pytest.raises(UnsafeWriteError):
        await repos.spotify.playlist.delete_where({})


async def test_albums_are_no_longer_saved(repos, soulspot, make):
    await make(AlbumRepository, *({"spotify_id": f"{n}", "is_saved": n < 3} for n in range(4)))
    told = []
    soulspot.events.subscribe("database.album.updated", lambda event: told.append(event.data["fields"]))
    assert await repos.metadata.album.unmark_saved(spotify_ids=["0", "1", "3"]) == 2
    assert await repos.metadata.album.count_saved() == 1
    await soulspot.events.settle()
    assert told == [["is_saved"], ["is_saved"]]


async def test_a_track_of_spotify_has_a_file(repos, make):
    await make(TrackRepository, {"spotify_id": "s", "source": "spotify", "ownership_state": "discovered"}, {})
    tracks = repos.library.track
    assert await tracks.link_to_local(spotify_id="s", file_path="/s.mp3") == 1
    row = await tracks.get_by_spotify_id("s")
    assert (row.file_path, row.ownership_state, row.source) == ("/s.mp3", "owned", "hybrid")
    with pytest.raises(ValidationFailedError):
        await tracks.link_to_local(spotify_id=None, file_path="/s.mp3")
    assert await tracks.link_to_local(spotify_id="t", file_path="/t.mp3") == 0


async def choose(db, candidate_id):
    """Select one candidate and reject its siblings: all of it, or nothing."""

    async def chosen(tx):
        candidates = Repositories(tx).metadata.enrichment_candidate
        one = await candidates.get_or_raise(candidate_id)
        await candidates.reject_all_for_entity(entity_type=one.entity_type, entity_id=one.entity_id)
        await candidates.mark_selected(id=one.id)

    await db.run_in_transaction(chosen, attempts=2 * MANY)


async def test_one_candidate_is_selected_and_its_siblings_are_rejected(repos, soulspot, make):
    (air,) = await make(ArtistRepository, {})
    rows = await make(EnrichmentCandidateRepository, {}, {}, {}, entity_type="artist", entity_id=air.id)
    (other,) = await make(EnrichmentCandidateRepository, {}, entity_type="album", entity_id=air.id)
    candidates = repos.metadata.enrichment_candidate
    await choose(soulspot, rows[1].id)
    found = await candidates.get_many([row.id for row in rows])
    assert [(row.is_selected, row.is_rejected) for row in found] == [(False, True), (True, False), (False, True)]
    assert await candidates.get(other.id) == other
    await candidates.mark_rejected(id=rows[1].id)
    assert await candidates.list_pending_for_entity(entity_type="artist", entity_id=air.id) == []
    assert not await candidates.exists({"is_selected": True})


async def test_of_many_selections_at_once_one_is_left(repos, soulspot, make):
    (air,) = await make(ArtistRepository, {})
    rows = await make(EnrichmentCandidateRepository, *[{}] * MANY, entity_type="artist", entity_id=air.id)
    await asyncio.gather(*(choose(soulspot, row.id) for row in rows))
    assert await repos.metadata.enrichment_candidate.count({"is_selected": True}) == 1
    assert await repos.metadata.enrichment_candidate.count({"is_rejected": True}) == MANY - 1


async def test_exactly_one_profile_is_active_whoever_asks_at_once(repos, make):
    profiles = repos.automation.quality_profile
    rows = await make(QualityProfileRepository, *({"name": f"{n}"} for n in range(5)))
    assert await profiles.get_active() is None
    active = QualityProfileUpdate(is_active=True)
    await asyncio.gather(*(profiles.update(rows[n % 5].id, active) for n in range(MANY)))
    assert await profiles.count({"is_active": True}) == 1
    await profiles.update(rows[2].id, active)
    assert (await profiles.get_active()).name == "2"
    assert await profiles.count({"is_active": True}) == 1


async def test_the_profiles_that_come_with_it_are_made_once(repos):
    profiles = repos.automation.quality_profile
    defaults = [QualityProfileCreate(name=name, is_builtin=True) for name in ("Audiophile", "Balanced", "Small")]

    async def ensure():
        return [(await profiles.get_or_create(new))[1] for new in defaults]

    made = await asyncio.gather(*(ensure() for _ in range(MANY)))
    assert [sum(new) for new in zip(*made, strict=True)] == [1, 1, 1]
    assert await profiles.count() == 3


async def test_a_profile_that_is_active_or_comes_with_it_stays(repos, make):
    rows = await make(QualityProfileRepository, {"is_builtin": True}, {"is_active": True}, {})
    profiles = repos.automation.quality_profile
    for row, guard in zip(rows, ("builtin", "active"), strict=False):
        with pytest.raises(ConstraintViolationError, match=f"the guard '{guard}'"):
            await profiles.delete(row.id)
    with pytest.raises(ConstraintViolationError):
        await profiles.delete_where({}, all_rows=True)
    assert await profiles.delete(rows[2].id) is True
    assert await profiles.count() == 2


async def test_each_job_goes_to_one_of_many_workers(repos, make):
    await make(
        BackgroundJobRepository,
        *({"job_type": "scan", "priority": n % 3} for n in range(MANY - 5)),
        {"job_type": "scan", "next_run_at": NOW + HOUR},
        {"job_type": "scan", "next_run_at": NOW - HOUR, "priority": 9},
        {"job_type": "sync", "priority": 10},
    )
    jobs = repos.core.background_job
    first = await jobs.claim_next(worker="w", job_types=["scan"])
    assert (first.priority, first.status, first.locked_by) == (9, "running", "w")
    claimed = await asyncio.gather(*(jobs.claim_next(worker=f"w{n}") for n in range(MANY)))
    got = [job for job in claimed if job is not None]
    assert len(got) == len({job.id for job in got}) == len({job.locked_by for job in got}) == MANY - 4
    assert {row.status: row.n for row in await jobs.count_by_status()} == {"pending": 1, "running": MANY - 3}


async def test_a_job_is_done_tried_again_or_given_back(repos, make):
    await make(BackgroundJobRepository, {"max_retries": 1})
    jobs = repos.core.background_job
    job = await jobs.claim_next(worker="ann")
    assert await jobs.retry_later(id=job.id, worker="bob", error="no", next_run_at=NOW) == 0
    assert await jobs.retry_later(id=job.id, worker="ann", error="no", next_run_at=NOW - HOUR) == 1
    again = await jobs.claim_next(worker="bob")
    assert (again.id, again.retries, again.error) == (job.id, 1, "no")
    assert await jobs.retry_later(id=job.id, worker="bob", error="no", next_run_at=NOW) == 0
    assert await jobs.release_stale(locked_before=NOW - HOUR) == 0
    assert await jobs.release_stale(locked_before=NOW + HOUR) == 1
    assert await jobs.complete(id=job.id, worker="bob") == 0
    await jobs.claim_next(worker="ann")
    assert await jobs.complete(id=job.id, worker="ann", result={"found": 3}) == 1
    done = await jobs.get(job.id)
    assert (done.status, dict(done.result), done.locked_by) == ("completed", {"found": 3}, None)


async def test_no_worker_is_none(repos, make):
    (job,) = await make(BackgroundJobRepository, {})
    with pytest.raises(ValidationFailedError):
        await repos.core.background_job.complete(id=job.id, worker=None)
