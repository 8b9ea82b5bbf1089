"""A database that does not exist yet, SoulSpot's own migrations, and revisions written for one test."""

import asyncio
import shutil
import sqlite3
import textwrap
from contextlib import closing
from pathlib import Path

import pytest
from soulspot_db import DatabaseSettings
from soulspot_db.language.history import SUMS, constants_of, dump_sums, read_history, sums_of
from soulspot_db.migrations.runner import migrate

ROOT = Path(__file__).parents[2]

HEADER = """
import sqlalchemy as sa
from alembic import op
from soulspot_db import ddl
from soulspot_db.migrations import steps

revision = "{id}"
down_revision = {parent!r}
branch_labels = None
depends_on = None
data = {data}
modules = ["library"]
schema_after = "0000"
"""


def record(folder):
    """Write `migrations.sum` for the revisions as they are."""
    files = {path.name: path.read_text() for path in sorted((folder / "versions").glob("*.py"))}
    (folder / SUMS).write_text(dump_sums(sums_of(files)))


class Revisions:
    """A migrations folder that grows; ids are a1, a2, ... repeated to twelve characters."""

    def __init__(self, folder):
        self.folder = folder
        self.ids = []
        (folder / "versions").mkdir(parents=True)
        shutil.copy(ROOT / "migrations" / "env.py", folder)
        record(folder)

    def add(self, upgrade, downgrade="pass", *, title="A revision", data=False):
        parent = self.ids[-1] if self.ids else None
        id = f"a{len(self.ids) + 1:x}" * 6
        self.ids.append(id)
        header = HEADER.format(id=id, parent=parent, data=data).replace("data = False\n", "")
        body = "".join(
            f"\n\ndef {name}() -> None:\n{textwrap.indent(textwrap.dedent(code).strip(), '    ')}\n"
            for name, code in (("upgrade", upgrade), ("downgrade", downgrade))
        )
        (self.folder / "versions" / f"{len(self.ids):04}_revision.py").write_text(f'"""{title}."""\n{header}{body}')
        record(self.folder)
        return id


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory):
    """A database at the head, to copy."""
    path = tmp_path_factory.mktemp("migrated") / "soulspot.db"
    asyncio.run(migrate(DatabaseSettings(database_path=path, _env_file=None), ROOT / "migrations"))
    return path


@pytest.fixture
def migrated(settings, migrated_file):
    """The settings of a database at the head."""
    shutil.copy(migrated_file, settings.database_path)
    return settings


@pytest.fixture
def migrations():
    return ROOT / "migrations"


@pytest.fixture
def ids(migrations):
    """SoulSpot's revisions, in order."""
    history, _ = read_history(migrations)
    return [constants_of(text)["revision"] for text in history.files.values()]


@pytest.fixture
def settings(tmp_path):
    return DatabaseSettings(database_path=tmp_path / "soulspot.db", _env_file=None)


@pytest.fixture
def revisions(tmp_path):
    return Revisions(tmp_path / "migrations")


@pytest.fixture
def recorded():
    return record


@pytest.fixture
def sql(settings):
    """Run statements on the database, as somebody with a shell would: foreign keys are not enforced."""

    def run(*statements):
        with closing(sqlite3.connect(settings.database_path, isolation_level=None)) as connection:
            found = []
            for statement in statements:
                found = connection.execute(statement).fetchall()
            return found

    return run


# Two tables as `generate` writes them: albums, and tracks that refer to an album and to each other.
TABLES = """
op.create_table(
    "albums",
    sa.Column("id", ddl.integer(), nullable=False),
    sa.Column("name", ddl.string(), nullable=False),
    sa.PrimaryKeyConstraint("id", name="pk_albums"),
    sqlite_strict=True,
)
op.create_table(
    "tracks",
    sa.Column("id", ddl.integer(), nullable=False),
    sa.Column("title", ddl.string(), nullable=True),
    sa.Column("old", ddl.integer(), nullable=True),
    sa.Column("album_id", ddl.integer(), nullable=True),
    sa.Column("parent_id", ddl.integer(), nullable=True),
    sa.PrimaryKeyConstraint("id", name="pk_tracks"),
    sa.ForeignKeyConstraint(["album_id"], ["albums.id"], name="fk_tracks_album_id", ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["parent_id"], ["tracks.id"], name="fk_tracks_parent_id", ondelete="SET NULL"),
    ddl.check('length("title") <= 255', name="ck_tracks_title_length"),
    sqlite_strict=True,
)
op.create_index("ix_tracks_title", "tracks", ["title"])
"""

# Albums get a new, checked form; `tracks` refers to them.
REBUILD_ALBUMS = """
steps.rebuild_table(
    "albums",
    sa.Column("id", ddl.integer(), nullable=False),
    sa.Column("name", ddl.string(), nullable=False),
    sa.Column("year", ddl.integer(), nullable=True),
    sa.PrimaryKeyConstraint("id", name="pk_albums"),
    ddl.check('length("name") <= 100', name="ck_albums_name_length"),
    values={"year": "NULL"},
)
"""

# Tracks lose `old` and must have a title.
REBUILD_TRACKS = """
steps.rebuild_table(
    "tracks",
    sa.Column("id", ddl.integer(), nullable=False),
    sa.Column("title", ddl.string(), nullable=False),
    sa.Column("album_id", ddl.integer(), nullable=True),
    sa.Column("parent_id", ddl.integer(), nullable=True),
    sa.PrimaryKeyConstraint("id", name="pk_tracks"),
    sa.ForeignKeyConstraint(["album_id"], ["albums.id"], name="fk_tracks_album_id", ondelete="CASCADE"),
    sa.ForeignKeyConstraint(["parent_id"], ["tracks.id"], name="fk_tracks_parent_id", ondelete="SET NULL"),
    ddl.check('length("title") <= 255', name="ck_tracks_title_length"),
    values={"title": "coalesce(\\"title\\", '?')"},
)
op.create_index("ix_tracks_title", "tracks", ["title"])
"""


@pytest.fixture
def code():
    """The bodies of revisions that tests share."""
    return {"tables": TABLES, "rebuild_albums": REBUILD_ALBUMS, "rebuild_tracks": REBUILD_TRACKS}


@pytest.fixture
async def filled(settings, revisions, sql, code):
    """A database after its first revision, with albums, tracks, and everything that hangs on tables by hand."""
    revisions.add(code["tables"])
    await migrate(settings, revisions.folder)
    sql(
        "INSERT INTO albums VALUES (1, 'Pastel Blues'), (2, 'Little Girl Blue')",
        "INSERT INTO tracks VALUES (-7, 'minus', 1, 1, NULL), (1, 'Sinnerman', 5, 1, NULL), (2, NULL, NULL, 2, 1),"
        " (3, 'Be My Husband', NULL, 1, 2)",
    )
    return revisions
