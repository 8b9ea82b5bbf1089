"""The racy ones of version 2, where half of those who ask at once know nothing of the other half."""

import asyncio

import homes
import pytest
from soulspot_db_entities import Repositories
from soulspot_db_entities.automation import QualityProfileCreate, QualityProfileUpdate
from soulspot_db_entities.core import BackgroundJobCreate
from soulspot_db_entities.library import TrackCreate
from soulspot_db_entities.metadata import AlbumCreate, ArtistCreate, ArtistDiscographyCreate, EnrichmentCandidateCreate
from soulspot_db_entities.spotify import PlaylistCreate

DATABASES = homes.BOTH
MANY = 20
TITLES = ("Talisman", "TALISMAN", "talisman", "tAlIsMaN")


@pytest.fixture
def both(rivals):
    """The repositories of either in turn."""
    pair = [Repositories(db) for db in rivals]
    return [pair[n % 2] for n in range(MANY)]


async def test_one_track_is_made(both):
    """Half of them match by title and album alone, which no index makes unique."""
    artist = await both[0].metadata.artist.save(ArtistCreate(name="Air"))
    album = await both[0].metadata.album.save(AlbumCreate(title="Moon Safari", artist_id=artist.id))
    new = [
        TrackCreate(title=TITLES[n % 4], artist="Air", album_id=album.id, isrc="FR1" if n % 3 else None)
        for n in range(MANY)
    ]
    await asyncio.gather(
        *(repos.library.track.upsert_from_provider(track) for repos, track in zip(both, new, strict=True))
    )
    (track,) = await both[0].library.track.query(fresh=True)
    assert track.isrc == "FR1"


async def test_one_artist_and_one_release_are_made(both):
    await asyncio.gather(
        *(
            repos.metadata.artist.upsert_from_provider(ArtistCreate(name=TITLES[n % 4], source="spotify"))
            for n, repos in enumerate(both)
        )
    )
    (artist,) = await both[0].metadata.artist.query(fresh=True)
    await asyncio.gather(
        *(
            repos.metadata.artist_discography.upsert_from_provider(
                ArtistDiscographyCreate(artist_id=artist.id, title=TITLES[n % 4], is_owned=n == 3)
            )
            for n, repos in enumerate(both)
        )
    )
    (row,) = await both[0].metadata.artist_discography.query(fresh=True)
    assert row.is_owned is True


async def test_one_playlist_of_liked_songs_is_made(both):
    await asyncio.gather(
        *(
            repos.spotify.playlist.ensure_liked_songs(PlaylistCreate(name="Liked Songs", is_liked_songs=True))
            for repos in both
        )
    )
    assert await both[0].spotify.playlist.count(fresh=True) == 1


async def test_each_job_goes_to_one_worker(both):
    await both[0].core.background_job.save_many(
        [BackgroundJobCreate(job_type="scan", payload={"n": n}) for n in range(MANY - 5)]
    )
    claimed = await asyncio.gather(
        *(repos.core.background_job.claim_next(worker=f"w{n}") for n, repos in enumerate(both))
    )
    got = [job.id for job in claimed if job is not None]
    assert len(got) == len(set(got)) == MANY - 5


async def test_one_profile_is_active(both):
    profiles = await both[0].automation.quality_profile.save_many([QualityProfileCreate(name=f"{n}") for n in range(4)])
    active = QualityProfileUpdate(is_active=True)
    tasks = (both[n % 2].automation.quality_profile.update(profiles[n % 4].id, active) for n in range(MANY))
    await asyncio.gather(*tasks)
    assert await both[0].automation.quality_profile.count({"is_active": True}, fresh=True) == 1


async def test_one_candidate_is_selected(both, rivals):
    artist = await both[0].metadata.artist.save(ArtistCreate(name="Air"))
    new = [
        EnrichmentCandidateCreate(entity_type="artist", entity_id=artist.id, spotify_uri=f"u{n}", spotify_name=f"{n}")
        for n in range(6)
    ]
    rows = await both[0].metadata.enrichment_candidate.save_many(new)

    async def choose(db, row):
        async def chosen(tx):
            own = Repositories(tx).metadata.enrichment_candidate
            await own.reject_all_for_entity(entity_type=row.entity_type, entity_id=row.entity_id)
            await own.mark_selected(id=row.id)

        await db.run_in_transaction(chosen, attempts=2 * MANY)

    await asyncio.gather(*(choose(rivals[n % 2], rows[n % 6]) for n in range(MANY)))
    candidates = both[0].metadata.enrichment_candidate
    assert await candidates.count({"is_selected": True}, fresh=True) == 1
    assert await candidates.count({"is_rejected": True}, fresh=True) == 5
