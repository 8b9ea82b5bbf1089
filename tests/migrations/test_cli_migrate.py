"""`soulspot-db migrate` and `check` on revisions that change what is there."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from click.testing import CliRunner
from soulspot_db.cli import main
from soulspot_db.cli.bar import Bar
from soulspot_db.migrations.runner import migrate

from tests.migrations.test_steps import DATA, OLD, looking


@pytest.fixture
def run(settings, revisions, monkeypatch):
    monkeypatch.setenv("DATABASE", str(settings.database_path))

    async def call(*arguments):
        # In a thread, because the command runs an event loop of its own.
        return await asyncio.to_thread(CliRunner().invoke, main, [*arguments, "--migrations", str(revisions.folder)])

    return call


async def test_the_backup_is_printed_and_everything_that_was_done(run, filled, code, settings):
    id = filled.add(code["rebuild_tracks"], title="Drop old of tracks")
    result = await run("migrate")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[1].startswith(f"backup: {settings.database_path.parent}/soulspot.before-migration.")
    assert lines[2] == f"{id}  Drop old of tracks."
    assert "rebuilding tracks: 4 rows" in lines
    assert lines[-1] == f"{settings.database_path} is at revision {id}"
    assert "backup:" not in (await run("migrate")).output


async def test_status_and_the_refusal_name_the_flag_that_lets_data_go(run, filled, code):
    id = filled.add(looking(("loses", "the values of old of tracks", OLD)) + code["rebuild_tracks"])
    assert (
        f"loses the values of old of tracks, in 2 rows: needs --allow-destructive {id}"
        in (await run("migrate", "--status")).output
    )
    refused = await run("migrate")
    assert refused.exit_code == 1
    assert f"soulspot-db migrate --allow-destructive {id}" in refused.output
    assert (await run("migrate", "--no-backup", "--allow-destructive", id)).exit_code == 0


async def test_to_goes_up_and_back(run, filled):
    up = filled.add("pass")
    filled.add("pass")
    assert f"is at revision {up}" in (await run("migrate", "--to", up)).output
    assert f"is at revision {filled.ids[0]}" in (await run("migrate", "--to", filled.ids[0])).output


async def test_pitfall_34_the_printed_sql_does_what_migrating_does(run, filled, code, settings, tmp_path):
    import shutil

    filled.add(
        "op.alter_column('albums', 'name', new_column_name='title')\n"
        'steps.add_column("albums", sa.Column("cover", ddl.string(), nullable=True), ddl.check("\\"cover\\" LIKE \'a:%\'", name="ck"))\n'
        'steps.archive(\'archived_tracks_old\', \'SELECT "id", "old" FROM "tracks" WHERE "old" IS NOT NULL\')'
    )
    filled.add(
        looking(("refuse", "of tracks that are odd", "SELECT 1 WHERE 0"), ("loses", "the values of old", OLD))
        + code["rebuild_tracks"]
    )
    printed = await run("migrate", "--sql")
    assert printed.exit_code == 0, printed.output
    assert f"-- loses the values of old: {OLD}" in printed.output
    other = tmp_path / "other.db"
    shutil.copy(settings.database_path, other)
    await migrate(settings, filled.folder, allow_destructive=filled.ids)

    def content(path):
        with closing(sqlite3.connect(path)) as connection:
            return sorted(" ".join(line.split()).replace(" ;", ";") for line in connection.iterdump())

    with closing(sqlite3.connect(other, isolation_level=None)) as connection:
        connection.executescript(printed.output)
        assert connection.execute("PRAGMA legacy_alter_table").fetchall() == [(0,)]
    assert content(other) == content(settings.database_path)
    assert (await run("migrate", "--sql")).output == ""


async def test_sql_is_refused_where_migrating_would_be_because_of_what_was_made_by_hand(run, filled, code, sql):
    filled.add("op.rename_table('tracks', 'songs')")
    rebuild = code["rebuild_tracks"].replace("values=", "without=['old'], values=")
    filled.add(rebuild.replace('"tracks"', '"songs"').replace("tracks.id", "songs.id"))
    assert (await run("migrate", "--sql")).exit_code == 0
    sql("CREATE VIRTUAL TABLE found USING fts5 (title)", "ALTER TABLE tracks ADD COLUMN mine TEXT")
    before = sql("SELECT sql FROM sqlite_master ORDER BY name")
    refused = await run("migrate", "--sql")
    assert refused.exit_code == 1
    assert "songs has columns that no schema knows, and would lose them: mine" in refused.output
    assert "Nothing was changed." in refused.output
    assert "CREATE TABLE" not in refused.output
    assert sql("SELECT sql FROM sqlite_master ORDER BY name") == before


async def test_the_printed_sql_names_the_database_that_it_is_for(run, filled, code, settings, monkeypatch, tmp_path):
    filled.add(code["rebuild_tracks"])
    settings.database_path.rename(tmp_path / "library.db")
    monkeypatch.setenv("DATABASE", str(tmp_path / "library.db"))
    printed = (await run("migrate", "--sql")).output
    assert "sqlite3 -bail library.db < this_file" in printed
    assert "soulspot.db <" not in printed


async def test_a_fresh_database_can_be_made_from_the_printed_sql(run, revisions, code, settings):
    revisions.add(code["tables"])
    printed = (await run("migrate", "--sql")).output
    assert not settings.database_path.exists()
    with closing(sqlite3.connect(settings.database_path, isolation_level=None)) as connection:
        connection.executescript(printed)
    assert "pending   0" in (await run("migrate", "--status")).output


async def test_sql_of_a_revision_that_needs_python_is_refused(run, filled):
    id = filled.add(DATA, data=True)
    result = await run("migrate", "--sql")
    assert result.exit_code == 1
    assert f"revision {id} changes rows with Python, which cannot be printed as SQL" in result.output
    assert f"soulspot-db migrate --to {id}" in result.output


def test_check_says_what_differs_and_what_to_do_and_exits_with_1(settings, migrations, monkeypatch, sql):
    monkeypatch.setenv("DATABASE", str(settings.database_path))

    def run(*arguments):
        return CliRunner().invoke(main, ["check", *arguments, "--migrations", str(migrations)])

    behind = run("--database")
    assert behind.exit_code == 1
    assert "run `soulspot-db migrate`, then check again" in behind.output
    CliRunner().invoke(main, ["migrate", "--migrations", str(migrations)])
    good = run("--database")
    assert (good.exit_code, good.output) == (0, f"{settings.database_path} is as the schemas say\n")
    sql("DROP INDEX ix_automation_rules_name", "ALTER TABLE library_tracks ADD COLUMN mine TEXT")
    bad = run("--database")
    assert bad.exit_code == 1
    assert bad.output.splitlines() == [
        'index ix_automation_rules_name of automation_rules is missing: CREATE INDEX "ix_automation_rules_name" ON "automation_rules" (name)',
        "column mine of library_tracks is in no schema: undo what was changed by hand; if it is wanted, change the schema then, and run `soulspot-db generate`",
    ]
    sql("UPDATE soulspot_db_version SET version_num = 'ffffffffffff'")
    ahead = run("--database")
    assert ahead.exit_code == 1
    assert "DATABASE_SCHEMA_AHEAD" in ahead.output


def test_check_without_anything_to_check_prints_its_usage():
    result = CliRunner().invoke(main, ["check"])
    assert result.exit_code == 2
    assert "Usage:" in result.output
    assert "--database" in result.output


def test_a_terminal_is_shown_a_bar_that_is_gone_when_a_line_comes_and_at_the_end(capsys):
    with Bar() as bar:
        bar._shows = True
        bar.progress("rebuilding tracks", 10_000, 40_000)
        bar.line("next")
        bar.progress("rebuilding tracks", 40_000, 40_000)
    shown, _errors = capsys.readouterr()
    assert shown.startswith(
        "\r\033[Krebuilding tracks [#######.......................] 10,000 of 40,000 rows\r\033[Knext\n"
    )
    assert shown.endswith(" 40,000 of 40,000 rows\r\033[K")


async def test_status_lists_the_last_that_are_applied_and_those_that_are_pending(run, filled, settings):
    for number in range(2, 7):
        filled.add("pass", title=f"Step {number}")
    await migrate(settings, filled.folder, to=filled.ids[4])
    lines = (await run("migrate", "--status")).output.splitlines()
    at = lines.index("applied   5, of which the last:")
    assert lines[at + 1 : at + 4] == [f"  {filled.ids[n]}  Step {n + 1}." for n in (2, 3, 4)]
    assert lines[at + 4 :] == ["pending   1", f"  {filled.ids[5]}  Step 6."]


async def test_status_of_a_revision_that_is_not_known_is_an_error_with_its_way_out(run, filled, sql):
    sql("UPDATE soulspot_db_version SET version_num = 'ffffffffffff'")
    result = await run("migrate", "--status")
    assert result.exit_code == 1
    assert "revision  ffffffffffff (unknown to this version of the code)" in result.output
    assert "DATABASE_SCHEMA_AHEAD" in result.output
    assert "Start the version that wrote it, or a newer one." in result.output
    assert "pending" not in result.output


@pytest.mark.parametrize("arguments", [("migrate", "--status"), ("migrate",), ("check", "--database")])
async def test_a_folder_that_does_not_exist_is_said_to_be_missing(run, revisions, monkeypatch, tmp_path, arguments):
    revisions.add("pass")
    monkeypatch.setenv("DATABASE", str(tmp_path / "missing" / "soulspot.db"))
    result = await run(*arguments)
    assert result.exit_code == 1
    assert f"the folder {tmp_path / 'missing'} does not exist" in result.output
    assert f"mkdir -p {tmp_path / 'missing'}" in result.output
    assert "Restore" not in result.output


async def test_status_shows_the_rows_that_the_next_revision_will_refuse(run, filled, sql):
    missing = "SELECT id FROM tracks WHERE title IS NULL"
    id = filled.add(looking(("refuse", "of tracks without a title", missing)))
    filled.add(looking(("refuse", "of what is not there yet", "SELECT id FROM songs")))
    lines = (await run("migrate", "--status")).output.splitlines()
    at = next(
        number for number, line in enumerate(lines) if line.startswith(f"  {id}") and "pending" in lines[number - 1]
    )
    assert lines[at + 1] == f"    refuses 1 row of tracks without a title, found by: {missing};"
    assert "not there yet" not in "".join(lines)
    sql("DELETE FROM tracks WHERE title IS NULL")
    assert "refuses" not in (await run("migrate", "--status")).output
