"""One of two processes that do the same at once: `python soulspot_rival.py '<settings as JSON>'`.

Each line on stdin names a job and what it is given, as JSON; a line on stdout tells what its 20 tasks have returned.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from uuid import UUID

from soulspot_db import Database, DatabaseSettings, Transaction
from soulspot_db_entities import Repositories
from soulspot_db_entities.library import TrackCreate
from soulspot_db_entities.metadata import AlbumId, ArtistCreate, ArtistDiscographyCreate, ArtistId
from soulspot_db_entities.spotify import PlaylistCreate

TASKS = 20
TITLES = ("Talisman", "TALISMAN", "talisman", "tAlIsMaN")
Job = Callable[[Database, Repositories, int, str], Awaitable[object]]


async def track(_db: Database, repos: Repositories, n: int, album: str) -> None:
    """Half of them match by title and album alone, which no index makes unique."""
    isrc = "FR1" if n % 2 else None
    new = TrackCreate(title=TITLES[n % 4], artist="Air", album_id=AlbumId(UUID(album)), isrc=isrc)
    await repos.library.track.upsert_from_provider(new)


async def artist(_db: Database, repos: Repositories, n: int, _given: str) -> None:
    await repos.metadata.artist.upsert_from_provider(ArtistCreate(name=TITLES[n % 4], source="spotify"))


async def release(_db: Database, repos: Repositories, n: int, artist_id: str) -> None:
    new = ArtistDiscographyCreate(artist_id=ArtistId(UUID(artist_id)), title=TITLES[n % 4], is_owned=n == 3)
    await repos.metadata.artist_discography.upsert_from_provider(new)


async def liked(_db: Database, repos: Repositories, _n: int, _given: str) -> None:
    await repos.spotify.playlist.ensure_liked_songs(PlaylistCreate(name="Liked Songs", is_liked_songs=True))


async def claim(_db: Database, repos: Repositories, n: int, name: str) -> str | None:
    job = await repos.core.background_job.claim_next(worker=f"{name} {n}")
    return None if job is None else str(job.id)


async def select(db: Database, _repos: Repositories, n: int, given: str) -> None:
    """Select one candidate and reject the others, all or nothing."""
    chosen = json.loads(given)[n % 6]

    async def decide(tx: Transaction) -> None:
        candidates = Repositories(tx).metadata.enrichment_candidate
        row = await candidates.get_or_raise(chosen)
        await candidates.reject_all_for_entity(entity_type=row.entity_type, entity_id=row.entity_id)
        await candidates.mark_selected(id=row.id)

    await db.run_in_transaction(decide, attempts=10 * TASKS)


JOBS: dict[str, Job] = {job.__name__: job for job in (track, artist, release, liked, claim, select)}


async def main(settings: str) -> None:
    async with Database(DatabaseSettings(**json.loads(settings), _env_file=None)) as db:
        repos = Repositories(db)
        while line := await asyncio.to_thread(sys.stdin.readline):
            which, given = json.loads(line)
            done = await asyncio.gather(*(JOBS[which](db, repos, n, given) for n in range(TASKS)))
            sys.stdout.write(json.dumps(done) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
