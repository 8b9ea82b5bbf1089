"""The racy ones of version 2 in two processes of 20 tasks each, which begin at the same moment."""

import asyncio
import json
import sys
from pathlib import Path

import homes
import pytest
import soulspot_rival
from soulspot_db import Database, DatabaseSettings
from soulspot_db_entities import Repositories
from soulspot_db_entities.core import BackgroundJobCreate
from soulspot_db_entities.metadata import AlbumCreate, ArtistCreate, EnrichmentCandidateCreate
from soulspot_rival import TASKS

DATABASES = homes.BOTH
PIPES = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}


@pytest.fixture
async def both(place):
    """Runs a job of `soulspot_rival` in two processes at once; returns what the tasks of either have returned."""
    settings = json.dumps({**place, "single_instance": False}, default=str)
    command = [sys.executable, str(Path(soulspot_rival.__file__)), settings]
    processes = [await asyncio.create_subprocess_exec(*command, **PIPES) for _ in range(2)]

    async def run(job, given=""):
        line = json.dumps([job.__name__, given]).encode() + b"\n"
        for process in processes:
            process.stdin.write(line)
        return [json.loads(await process.stdout.readline()) for process in processes]

    await run(soulspot_rival.liked)  # what is done once is done, and both are open
    yield run
    for process in processes:
        process.stdin.close()
        assert await process.wait() == 0


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
