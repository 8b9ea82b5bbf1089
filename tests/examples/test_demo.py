"""The demo proves what it says: in small it comes out right, and a single difference makes it exit with 1."""

import asyncio
import re
import shutil
import signal
import sqlite3
import tempfile
from contextlib import closing
from io import StringIO
from pathlib import Path

import demo
import httpx
import pytest
from demo_parts import catalogue, commands
from demo_parts.clients import FakeSpotify
from demo_parts.proof import expected, wrong
from demo_parts.size import FULL, SMALL
from rich.console import Console
from soulspot.activity import LibraryActivity
from soulspot.downloads import DownloadService
from soulspot.library import LibraryScan
from soulspot.playlists import PlaylistService
from soulspot_db import LockedError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def console():
    return Console(file=StringIO(), width=100)


@pytest.fixture
def fast_commands(monkeypatch, migrated_database, tmp_path):
    """The demo without its two processes, in a folder that the test can look at."""
    monkeypatch.setattr(commands, "generate", lambda _console: None)
    monkeypatch.setattr(commands, "migrate", lambda _console, path: shutil.copy(migrated_database, path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def query(path, sql):
    with closing(sqlite3.connect(path)) as file:
        rows = file.execute(sql).fetchall()
        file.commit()
        return rows


async def test_everything_is_in_the_database_after_the_demo(database_file, console):
    assert await demo.play(database_file, SMALL, console) is True
    counts = {
        table: query(database_file, f"SELECT count(*) FROM {table}")[0][0]
        for table in ("spotify_playlists", "metadata_artists", "metadata_albums", "library_tracks")
    }
    # Three users with 4 playlists; 6 artists with 2 albums of 3 tracks; 9 loose files; 24 wanted tracks.
    assert counts == {
        "spotify_playlists": 12,
        "metadata_artists": 6,
        "metadata_albums": 12,
        "library_tracks": 6 * 2 * 3 + 9 + 24,
    }
    downloads = query(database_file, "SELECT status, count(*) FROM soulseek_downloads GROUP BY status ORDER BY status")
    assert downloads == [("completed", 24), ("failed", 2)]


async def test_a_log_gets_tables_and_no_moving_bars(database_file, console):
    await demo.play(database_file, SMALL, console)
    output = console.file.getvalue()
    assert "\x1b" not in output
    assert output.count("tracks scanned") == 1
    assert re.search(r"tracks +│ +69 │ +69 │ +69 │ +69 │ ok", output)
    assert len(output.splitlines()) < 50


async def test_with_a_page_it_goes_on_until_ctrl_c_and_then_proves_the_same(database_file, console):
    playing = asyncio.create_task(demo.play(database_file, SMALL, console, serve=True))
    async with asyncio.timeout(60):
        while "Done." not in console.file.getvalue():
            await asyncio.sleep(0.02)
        (address,) = set(re.findall(r"http://[^ ;]+", console.file.getvalue()))
        async with httpx.AsyncClient() as client:
            page = await client.get(address)
        assert page.status_code == 200
        assert "Healthy" in page.text
        signal.raise_signal(signal.SIGINT)
        assert await playing is True


def test_a_run_in_which_everything_is_right_exits_with_0_and_leaves_no_file(fast_commands, tmp_path):
    assert demo.main(SMALL) == 0
    assert list(tmp_path.iterdir()) == []


def lose_a_track(monkeypatch):
    add = LibraryScan.add
    some_file = next(catalogue.loose_files(SMALL))

    async def add_all_but_one(self, file):
        return None if file.path == some_file.path else await add(self, file)

    monkeypatch.setattr(LibraryScan, "add", add_all_but_one)


def raise_a_lock_error(monkeypatch):
    async def locked(_self, _file):
        raise LockedError("the writer could not be had in time")

    monkeypatch.setattr(LibraryScan, "add", locked)


def miss_an_event(monkeypatch):
    hear = LibraryActivity._on_track_created

    def hear_all_but_one(self, event):
        hear(self, event)
        self.tracks_added = min(self.tracks_added, 68)

    monkeypatch.setattr(LibraryActivity, "_on_track_created", hear_all_but_one)


def forget_completed_downloads(monkeypatch):
    async def forget(*_arguments):
        pass

    monkeypatch.setattr(DownloadService, "mark_completed", forget)


def lose_progress(monkeypatch):
    async def forget(*_arguments):
        return True

    monkeypatch.setattr(DownloadService, "report_progress", forget)


def store_no_playlists(monkeypatch):
    async def forget(*_arguments):
        pass

    monkeypatch.setattr(PlaylistService, "_store", forget)


def never_meet_a_known_playlist(monkeypatch):
    # All playlists are new at the second synchronisation.
    answer = FakeSpotify.get_user_playlists

    async def nothing_at_first(self, user_id):
        return [] if self._weeks_ago else await answer(self, user_id)

    monkeypatch.setattr(FakeSpotify, "get_user_playlists", nothing_at_first)


def lose_a_row_of_the_closed_file(monkeypatch):
    read = demo.read_from_file

    def read_damaged(path):
        query(path, "DELETE FROM soulseek_downloads WHERE status = 'failed'")
        return read(path)

    monkeypatch.setattr(demo, "read_from_file", read_damaged)


def break_a_reference_of_the_closed_file(monkeypatch):
    read = demo.read_from_file

    def read_damaged(path):
        query(path, "UPDATE metadata_albums SET artist_id = '0190a0a0-0000-7000-8000-000000000000'")
        return read(path)

    monkeypatch.setattr(demo, "read_from_file", read_damaged)


@pytest.mark.parametrize(
    ("damage", "rows"),
    [
        (lose_a_track, {"tracks"}),
        (raise_a_lock_error, {"tracks", "lock errors"}),
        (miss_an_event, {"tracks"}),
        (
            forget_completed_downloads,
            {"downloads completed", "tracks with a downloaded file", "downloads still in the queue", "stale reads"},
        ),
        (lose_progress, {"stale reads"}),
        (store_no_playlists, {"playlists", "playlists updated", "stale reads"}),
        (never_meet_a_known_playlist, {"playlists updated"}),
        (lose_a_row_of_the_closed_file, {"downloads failed, user offline"}),
        (break_a_reference_of_the_closed_file, {"references to nothing"}),
    ],
)
def test_a_difference_is_named_and_makes_the_demo_exit_with_1(damage, rows, fast_commands, monkeypatch, capsys):
    damage(monkeypatch)
    assert demo.main(SMALL) == 1
    differing = re.findall(r"^│ (.+?) +│.*WRONG", capsys.readouterr().out, re.MULTILINE)
    assert set(differing) == rows


def test_a_number_that_nobody_counted_is_wrong():
    assert wrong({"tracks": 1}, {"API": {}, "file": {}}) == ["tracks"]
    assert wrong({"tracks": 1}, {"API": {"tracks": 1}, "file": {}}) == []
    assert wrong({"tracks": 1}, {"API": {"tracks": 1}, "file": {"tracks": 2}}) == ["tracks"]


def test_the_catalogue_has_as_much_as_the_full_demo_expects_and_nothing_twice():
    files = [file for folder in catalogue.music_folders(FULL) for file in folder] + list(catalogue.loose_files(FULL))
    wanted = catalogue.wanted_tracks(FULL)
    playlists = [playlist for user in FULL.users for playlist in catalogue.playlists_of(user, FULL)]
    numbers = expected(FULL)
    assert (len(files) + len(wanted), len(playlists)) == (numbers["tracks"], numbers["playlists"]) == (5_400, 60)
    assert len({file.path for file in files}) == FULL.scanned_tracks == 5_000
    assert len({file.artist for file in files}) == numbers["artists"]
    assert len({(file.artist, file.album) for file in files if file.album}) == numbers["albums"]
    assert len({(track.artist, track.title) for track in wanted}) == len(wanted) == numbers["downloads completed"]
    assert len({playlist.id for playlist in playlists}) == len(playlists)
    assert {track.users[1] for track in wanted}.isdisjoint({"gone_fishing"})


def test_migrate_makes_the_demos_own_database_whatever_the_environment_says(tmp_path, monkeypatch, console):
    somebodys = tmp_path / "somebodys.db"
    monkeypatch.setenv("DATABASE", str(somebodys))
    monkeypatch.setenv("DATABASE_PATH", str(somebodys))
    monkeypatch.setenv("DATABASE_TYPE", "postgresql")
    commands.migrate(console, tmp_path / "soulspot.db")
    assert not somebodys.exists()
    assert query(tmp_path / "soulspot.db", "SELECT count(*) FROM library_tracks") == [(0,)]
    assert "$ DATABASE=soulspot.db soulspot-db migrate" in console.file.getvalue()


def test_generate_says_that_there_is_nothing_to_do(tmp_path, monkeypatch, console):
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(ROOT / "pyproject.toml", project)
    for folder in ("schemas", "generated", "migrations"):
        shutil.copytree(ROOT / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(commands, "_PROJECT", project)
    commands.generate(console)
    assert "everything is up to date" in console.file.getvalue()


def test_a_command_that_fails_ends_the_demo_with_its_message(tmp_path, console):
    with pytest.raises(SystemExit) as ended:
        commands.migrate(console, tmp_path / "no such folder" / "soulspot.db")
    assert ended.value.code == 1
    assert "DATABASE_CONNECTION_FAILED" in console.file.getvalue()
