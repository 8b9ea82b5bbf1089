"""The racy ones of version 2 in two processes of 20 tasks each, which begin at the same moment."""

import asyncio
import json

import homes
import pytest
import soulspot_rival
from forking import forking
from soulspot_db import Database, DatabaseSettings
from soulspot_db_entities import Repositories
from soulspot_db_entities.core import BackgroundJobCreate
from soulspot_db_entities.metadata import AlbumCreate, ArtistCreate, EnrichmentCandidateCreate
from soulspot_rival import TASKS

DATABASES = homes.BOTH
PROGRAM = "import asyncio, sys, soulspot_rival; asyncio.run(soulspot_rival.main(*sys.argv[1:]))"


@pytest.fixture(scope="module")
def rival_programs():
    with forking("soulspot_rival") as found:
        yield found


@pytest.fixture
async def both(place, rival_programs):
    """Runs a job of `soulspot_rival` in two processes at once; returns what the tasks of either have returned."""
    settings = json.dumps({**place, "single_instance": False}, default=str)
    processes = [rival_programs.start(PROGRAM, settings) for _ in range(2)]

    async def run(job, given=""):
        for process in processes:
            process.stdin.write(json.dumps([job.__name__, given]) + "\n")
            process.stdin.flush()
        return [json.loads(await asyncio.to_thread(process.stdout.readline)) for process in processes]

    await run(soulspot_rival.liked)  # what is done once is done, and both are open
    yield run
    for process in processes:
        _said, complaints = await asyncio.to_thread(process.communicate, timeout=60)
        assert process.returncode == 0, complaints


@pytest.fixture
async def repos(place):
    """What a third one sees."""
    async with Database(DatabaseSettings(**{**place, "single_instance": False}, _env_file=None)) as db:
        yield Repositories(db)


async def test_what_two_processes_do_at_once_is_done_once(repos, both):
    """One test for all, because processes take their time to begin."""
    assert await repos.spotify.playlist.count(fresh=True) == 1

    await both(soulspot_rival.artist)
    (artist,) = await repos.metadata.artist.query(fresh=True)

    await both(soulspot_rival.release, str(artist.id))
    (release,) = await repos.metadata.artist_discography.query(fresh=True)
    assert release.is_owned is True

    album = await repos.metadata.album.save(AlbumCreate(title="Moon Safari", artist_id=artist.id))
    await both(soulspot_rival.track, str(album.id))
    (track,) = await repos.library.track.query(fresh=True)
    assert track.isrc == "FR1"

    jobs = [BackgroundJobCreate(job_type="scan", payload={"n": n}) for n in range(2 * TASKS - 5)]
    await repos.core.background_job.save_many(jobs)
    got = [job for process in await both(soulspot_rival.claim) for job in process if job is not None]
    assert len(got) == len(set(got)) == len(jobs)


async def test_one_candidate_of_two_processes_is_selected(repos, both):
    artist = await repos.metadata.artist.save(ArtistCreate(name="Air"))
    new = [
        EnrichmentCandidateCreate(entity_type="artist", entity_id=artist.id, spotify_uri=f"u{n}", spotify_name=f"{n}")
        for n in range(6)
    ]
    candidates = repos.metadata.enrichment_candidate
    rows = await candidates.save_many(new)
    await both(soulspot_rival.select, json.dumps([str(row.id) for row in rows]))
    assert await candidates.count({"is_selected": True}, fresh=True) == 1
    assert await candidates.count({"is_rejected": True}, fresh=True) == 5
