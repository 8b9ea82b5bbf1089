"""Generated code is run: imported, migrated, and asked to save, find, change and delete rows of every entity."""

import datetime as dt
import importlib
import itertools
import json
import sqlite3
import sys
from contextlib import closing
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from projects import CASES, generated
from soulspot_db import (
    ConstraintViolationError,
    EntityCreate,
    EntityRegistry,
    MigrationRequiredError,
    NotFoundError,
    SchemaInvalidError,
    ValidationFailedError,
)
from soulspot_db.schema import resolved
from soulspot_db_codegen.yaml_reader import read_yaml

GOLDEN = sorted(path.parent.name for path in CASES.glob("*/expected"))
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def numbers(monkeypatch):
    """Every test counts from one, so that its values do not depend on which tests ran before it."""
    monkeypatch.setattr(sys.modules[__name__], "_numbers", itertools.count(1))


@pytest.fixture
def project(use, request):
    """The golden tree of the case that the test is parametrised with."""
    case = request.node.callspec.params["case"]
    return use(CASES / case, f"{case}_entities")


def structure(path):
    """Every table and index of a database with its SQL, but for SQLite's and the version table."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").fetchall()
    return [row for row in rows if not row[1].startswith("sqlite_") and row[2] != "soulspot_db_version"]


@pytest.mark.parametrize("case", GOLDEN)
async def test_migrations_make_the_tables_that_the_code_declares(case, project, tmp_path):
    for name in project.modules():
        importlib.import_module(f"{project.package}.{name}".rstrip("."))
    status = await project.migrate()
    assert status.pending == ()
    assert status.current == status.head == importlib.import_module(project.package).MIGRATION_HEAD
    assert await project.migrate() == status
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    project.module("_metadata").METADATA.create_all(engine)
    engine.dispose()
    assert structure(project.database) == structure(tmp_path / "declared.db")
    tables = [row for row in structure(project.database) if row[0] == "table"]
    assert len(tables) == len(EntityRegistry.list_entity_types())
    assert all(sql.rstrip().endswith("STRICT") for *_, sql in tables)


def value_of(field: Any, number: int, year: int = 2026) -> Any:
    """A valid value, as the facade takes it; unique fields need another number."""
    return {
        "uuid": lambda: str(uuid4()),
        "string": lambda: f"text {number}"[: field.max_length or 100],
        "text": lambda: f"text {number}",
        "integer": lambda: number,
        "float": lambda: number / 2,
        "decimal": lambda: Decimal(number % 9 + 1).scaleb(-field.scale),
        "boolean": lambda: number % 2 == 0,
        "date": lambda: dt.date(2026, 1, 1) + dt.timedelta(number),
        "time": lambda: dt.time(12, number % 60),
        "datetime": lambda: dt.datetime(year, 1, 1, tzinfo=dt.UTC) + dt.timedelta(number),
        "enum": lambda: field.values[number % len(field.values)],
        "list": list,
        "json": lambda: {"number": number, "list": [None, "x"]},
        "bytes": lambda: number.to_bytes(8),
    }[field.type]()


def _year(field: Any, spec: Any) -> int:
    """One that is not over where a row ends with it."""
    return 2126 if field.name == spec.expires else 2026


async def save(db, kind: str) -> str:
    """One new row, after those that it refers to; returns its key."""
    spec = resolved(EntityRegistry.get_schema(kind)).spec
    data: dict[str, Any] = {}
    for field in spec.fields.values():
        if field.references and not field.nullable:
            target = field.references.partition(".")[2]
            key = await save(db, target)
            data[field.name] = (await db.get(target, key))[resolved(EntityRegistry.get_schema(target)).spec.key[0]]
        elif field.required or field.unique or (field.name in spec.key and not field.assigned and not field.made):
            data[field.name] = value_of(field, next(_numbers), _year(field, spec))
    return await db.save(kind, data)


@pytest.mark.parametrize("case", GOLDEN)
async def test_every_entity_through_the_facade(case, project, open_database):
    db = await open_database(project)
    for kind in EntityRegistry.list_entity_types():
        spec = resolved(EntityRegistry.get_schema(kind)).spec
        key = await save(db, kind)
        row = await db.get(kind, key)
        assert row is not None
        assert list(row) == [*spec.fields, *spec.virtual]
        assert await db.query(kind, {name: {"eq": row[name]} for name in spec.key}) == [row]
        plain = [field for field in spec.fields.values() if not field.encrypted]
        order = [field.name for field in plain if field.type not in {"json", "list"}]
        assert await db.query(kind, {field.name: {"eq": row[field.name]} for field in plain}, order) == [row]
        changes = {
            field.name: value_of(field, next(_numbers), _year(field, spec))
            for field in spec.fields.values()
            if field.name not in {*spec.key, spec.soft_delete}
            and not field.references
            and not field.pattern
            and not field.version
        }
        assert await db.update(kind, key, changes) is True
        changed = await db.get(kind, key, fresh=True)
        touched = {field.name for field in spec.fields.values() if field.touched or field.version}
        for name, value in row.items():
            assert name in touched or changed[name] == changes.get(name, value)
        assert await db.count(kind) >= 1
        assert await db.delete(kind, key) is True
        assert await db.get(kind, key) is None


@pytest.mark.parametrize("case", GOLDEN)
async def test_every_repository_reads_what_the_facade_wrote(case, project, open_database):
    db = await open_database(project)
    repositories = importlib.import_module(project.package).Repositories(db)
    for kind in EntityRegistry.list_entity_types():
        schema = EntityRegistry.get_schema(kind)
        spec = resolved(schema).spec
        saved = await db.get(kind, await save(db, kind))
        module = schema.__module__.split(".")[1]
        repository = getattr(getattr(repositories, module), kind)
        assert repository is getattr(getattr(repositories, module), kind)
        [row] = await repository.query({name: {"eq": saved[name]} for name in spec.key})
        assert type(row) is schema.model
        key = tuple(getattr(row, name) for name in spec.key)
        key = key if len(key) > 1 else key[0]
        assert await repository.get(key) == await repository.get_or_raise(key) == row
        assert await repository.get_many([key, key]) == [row, row]
        assert await repository.update(key, schema.update_model()) == row
        assert await repository.exists({name: {"eq": getattr(row, name)} for name in spec.key})
        for group in spec.lookups:
            values = [getattr(row, name) for name in group]
            found = await getattr(repository, "get_by_" + "_and_".join(group))(*values)
            assert found == (None if None in values else row)
        assert await repository.delete(key) is True
        assert await repository.get(key) is None
        with pytest.raises(NotFoundError):
            await repository.get_or_raise(key)


async def test_a_database_that_was_not_migrated_is_refused(use):
    from soulspot_db import Database

    project = use(CASES / "keys", "keys_entities")
    with pytest.raises(MigrationRequiredError):
        await Database(project.settings).open()


def test_a_required_field_is_given_under_one_of_its_two_names(use):
    code = use(CASES / "virtual_ids", "virtual_ids_entities").module("music.artist")
    with pytest.raises(ValueError, match="slug or short is required"):
        code.ArtistCreate(name="Air")
    new = code.ArtistCreate(name="Air", short="air", spotify_id="4tZ")
    assert (new.slug, new.spotify_uri) == ("a\"'-air", "spotify:artist:4tZ")
    assert code.ArtistCreate(name="Air", slug="air").short is None
    assert code.ArtistUpdate(short="air").model_fields_set == {"short", "slug"}
    assert code.ArtistUpdate(short=code.ArtistUpdate().short).model_fields_set == set()


class TestTypes:
    @pytest.fixture
    async def repository(self, use, open_database):
        project = use(CASES / "types", "types_entities")
        self.db = await open_database(project)
        self.code = project.module("catalog.everything")
        return self.code.EverythingRepository(self.db)

    async def test_defaults(self, repository):
        row = await repository.save(self.code.EverythingCreate(a_string="a"))
        assert row.id.version == 7
        assert row.a_uuid.version == 4
        assert row.a_fixed_uuid == UUID("7c0a3a52-3f5a-4d6e-9a63-0a4ee2a0a111")
        assert (row.a_text, row.an_integer, row.a_float, row.a_boolean) == ('it\'s "quoted"', 7, 1.5, True)
        assert (row.a_decimal, row.a_whole) == (Decimal("12.500000"), Decimal(12))
        assert (row.a_date, row.a_time) == (dt.date(2026, 11, 24), dt.time(12, 30, 0, 500_000))
        assert row.a_datetime.tzinfo is dt.UTC
        assert (row.an_enum, row.maybe, row.renamed, row.a_code, row.moments) == ("it's: a", None, None, None, None)
        assert (row.texts, row.uuids, row.numbers) == (("a", "it's"), (), (1.5, 2.0))
        assert row.dates == (dt.date(2026, 11, 24),)

    async def test_server_defaults_are_the_same(self, repository):
        ours = await repository.save(self.code.EverythingCreate(a_string="ours", a_date=dt.date(2026, 1, 1)))
        with closing(sqlite3.connect(self.db.settings.database_path)) as connection, connection:
            values = (str(uuid4()), str(ours.a_uuid), "theirs", "2026-11-24 12:00:00.000000")
            connection.execute(
                "INSERT INTO cat_everythings (id, a_uuid, a_string, a_datetime) VALUES (?, ?, ?, ?)", values
            )
        theirs = await repository.get_by_a_string("theirs", fresh=True)
        same = set(type(ours).model_fields) - {"id", "a_string", "a_datetime", "a_date"}
        assert theirs.model_dump(include=same) == ours.model_dump(include=same)
        assert theirs.a_date == dt.date(2026, 11, 24)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"a_string": "x" * 41},
            {"a_string": "x\0"},
            {"a_code": "XX-1\n"},
            {"a_code": "x"},
            {"an_integer": -11},
            {"an_integer": 2**63},
            {"an_integer": True},
            {"a_float": float("nan")},
            {"a_float": 101},
            {"a_decimal": "0.0000001"},
            {"a_decimal": 1.5},
            {"a_whole": 0},
            {"a_boolean": 1},
            {"a_date": "2026-02-30"},
            {"a_time": "25:00"},
            {"a_datetime": "soon"},
            {"an_enum": "green"},
            {"an_enum": None},
            {"texts": "a"},
            {"uuids": ["x"]},
            {"nobody": 1},
        ],
    )
    async def test_input_is_checked(self, repository, wrong):
        good = {"a_string": "a", "a_code": "AB-12", "a_whole": 1, "moments": [dt.datetime.now(dt.UTC)]}
        with pytest.raises(ValueError, match="validation error"):
            self.code.EverythingCreate(**good | wrong)
        with pytest.raises(ValueError, match="validation error"):
            self.code.EverythingUpdate(**wrong)
        assert await repository.save(self.code.EverythingCreate(**good))
        assert await repository.count() == 1

    async def test_unset_and_none_differ(self, repository):
        row = await repository.save(self.code.EverythingCreate(a_string="a", renamed=5, maybe="only"))
        changed = await repository.update(row.id, self.code.EverythingUpdate(maybe=None))
        assert (changed.maybe, changed.renamed) == (None, 5)
        assert changed.a_datetime >= row.a_datetime

    async def test_unique_values_and_indexes_hold(self, repository):
        await repository.save(self.code.EverythingCreate(a_string="a"))
        with pytest.raises(ConstraintViolationError):
            await repository.save(self.code.EverythingCreate(a_string="a", a_boolean=False))
        with pytest.raises(ConstraintViolationError):
            await repository.save(self.code.EverythingCreate(a_string="b"))
        found = await repository.get_by_a_date_and_a_boolean(dt.date(2026, 11, 24), True)
        assert found.a_string == "a"

    async def test_the_natural_key_works_in_the_facade(self, repository):
        await repository.save(self.code.EverythingCreate(a_string="a"))
        assert (await self.db.get("everything", "a"))["a_string"] == "a"

    async def test_rows_are_frozen(self, repository):
        row = await repository.save(self.code.EverythingCreate(a_string="a"))
        with pytest.raises(ValueError, match="frozen"):
            row.a_string = "b"


class TestKeys:
    @pytest.fixture
    async def media(self, use, open_database):
        project = use(CASES / "keys", "keys_entities")
        self.db = await open_database(project)
        self.code = project.module("media")
        await self.db.save("setting", {"name": "main"})
        return importlib.import_module("keys_entities").Repositories(self.db).media

    async def test_integer_keys_are_assigned(self, media):
        artist = await media.artist.save(self.code.ArtistCreate(name="a"))
        rows = await media.album.save_many([self.code.AlbumCreate(title=t, artist_id=artist.id) for t in "abc"])
        assert [row.id for row in rows] == [1, 2, 3]

    async def test_composite_keys(self, media):
        artist = await media.artist.save(self.code.ArtistCreate(name="a"))
        album = await media.album.save(self.code.AlbumCreate(title="t", artist_id=artist.id))
        key = self.code.AlbumTrackKey(album.id, 1, "a", dt.date(2026, 11, 24))
        row = await media.album_track.save(self.code.AlbumTrackCreate(**key._asdict(), title="first"))
        assert await media.album_track.get(key) == row
        assert await self.db.get("album_track", "1,1,a,2026-11-24") is not None
        changed = await media.album_track.update(key, self.code.AlbumTrackUpdate(title="second"))
        assert changed.title == "second"
        with pytest.raises(ValueError, match="validation error"):
            self.code.AlbumTrackUpdate(disc=2)
        assert await media.album_track.delete(key) is True

    async def test_a_deletion_cascades_and_no_cache_remembers(self, media):
        band = await media.artist.save(self.code.ArtistCreate(name="band"))
        member = await media.artist.save(self.code.ArtistCreate(name="member", parent_id=band.id))
        other = await media.artist.save(self.code.ArtistCreate(name="other"))
        album = await media.album.save(self.code.AlbumCreate(title="t", artist_id=member.id))
        cover = await media.album_cover.save(self.code.AlbumCoverCreate(album_id=album.id, path="p"))
        theirs = await media.album.save(self.code.AlbumCreate(title="u", artist_id=other.id))
        key = self.code.AlbumTrackKey(theirs.id, 1, "b", dt.date(2026, 1, 1))
        track = self.code.AlbumTrackCreate(**key._asdict(), title="x", added_by=member.id)
        await media.album_track.save(track)
        assert (await media.album_track.get(key)).added_by == member.id
        assert await media.album_cover.get(cover.album_id) == cover
        assert await media.artist.delete(band.id) is True
        assert await media.artist.get(member.id) is None
        assert await media.album.get(album.id) is None
        assert await media.album_cover.get(cover.album_id) is None
        assert (await media.album_track.get(key)).added_by is None

    async def test_a_setting_in_use_is_not_deleted(self, media):
        artist = await media.artist.save(self.code.ArtistCreate(name="a"))
        await media.album.save(self.code.AlbumCreate(title="t", artist_id=artist.id))
        with pytest.raises(ConstraintViolationError):
            await self.db.delete("setting", "main")

    async def test_dates_are_keys(self, use, media):
        await self.db.save("day", {"day": "2026-11-24", "note": "x"})
        archive = importlib.import_module("keys_entities").Repositories(self.db).archive
        assert (await archive.day.get(dt.date(2026, 11, 24))).note == "x"


class TestLanguage:
    @pytest.fixture
    async def all(self, use, open_database):
        project = use(CASES / "language", "language_entities")
        self.db = await open_database(project)
        self.code = project.module("media")
        return importlib.import_module("language_entities").Repositories(self.db)

    async def test_two_modules_share_a_mixin(self, all):
        recording = await all.media.recording.save(self.code.RecordingCreate(title="a"))
        key = await self.db.save("room", {"name": "Big", "recording_id": recording.id})
        room = await all.studio.room.get(int(key))
        assert room.created_at <= room.updated_at
        later = {"created_at": room.updated_at + dt.timedelta(1)}
        for kind, name, row in (("recording", "title", recording), ("room", "name", room)):
            with pytest.raises(ConstraintViolationError, match="not_changed_before_made"):
                await self.db.save(kind, {name: "b", "updated_at": row.updated_at, **later})

    async def test_json_has_its_default_and_cannot_be_changed(self, all):
        row = await all.media.recording.save(self.code.RecordingCreate(title="a"))
        assert (row.details, row.marks, row.settings) == (
            {"a": {"it's": "50% :x"}, "b": (1, 2.5, None, True)},
            (),
            None,
        )
        with pytest.raises(TypeError):
            row.details["a"]["more"] = 1
        given = {"x": [1]}
        row = await all.media.recording.save(self.code.RecordingCreate(title="b", details=given, marks="text"))
        given["x"].append(2)
        assert (row.details, row.marks) == ({"x": (1,)}, "text")
        assert await all.media.recording.query({"details": {"eq": {"x": [1]}}, "marks": {"in": ["text"]}}) == [row]

    async def test_a_json_value_and_bytes_find_their_row(self, all):
        new = self.code.RecordingCreate(title="a", settings={"b": 1, "a": 2}, digest=b"\0\xff")
        row = await all.media.recording.save(new)
        assert await all.media.recording.get_by_settings({"a": 2, "b": 1}) == row
        assert await all.media.recording.get_by_digest(b"\0\xff") == row

    async def test_a_partial_unique_index_and_one_over_an_expression(self, all):
        owner = uuid4()
        save = all.media.recording.save
        await save(self.code.RecordingCreate(title="a", owner_id=owner))
        with pytest.raises(ConstraintViolationError):
            await save(self.code.RecordingCreate(title="b", owner_id=owner))
        await save(self.code.RecordingCreate(title="b", owner_id=owner, public=False))
        await save(self.code.RecordingCreate(title="c", owner_id=owner, state="b\\:c"))
        with pytest.raises(ConstraintViolationError):
            await save(self.code.RecordingCreate(title="A"))
        await save(self.code.RecordingCreate(title="A", take=2))

    @pytest.mark.parametrize(
        "title", ["it's", "100% :x", 'say "x"', "b\\:c", "::text", "%(x)s", "e\u0301 \u2713", "\u00e9 \u2713"]
    )
    async def test_checks_mean_the_texts_that_they_name(self, all, title):
        named = read_yaml((CASES / "language/schemas/media/recording.yaml").read_text("utf-8")).data["checks"]
        if title not in named["quoted"]["title"]["not_in"]:
            await all.media.recording.save(self.code.RecordingCreate(title=title))
            return
        with pytest.raises(ConstraintViolationError, match="ck_media_recordings_quoted"):
            await all.media.recording.save(self.code.RecordingCreate(title=title))

    async def test_sensitive_values_are_not_shown(self, all):
        new = self.code.RecordingCreate(title="a", access_key="hunter2", digest=b"hunter3")
        row = await all.media.recording.save(new)
        changes = self.code.RecordingUpdate(access_key="hunter2", digest=b"hunter3")
        assert (row.access_key, row.digest) == ("hunter2", b"hunter3")
        for shown in (new, row, changes):
            assert "hunter" not in f"{shown!r}{shown}"
        with pytest.raises(ConstraintViolationError) as caught:
            await all.media.recording.save(self.code.RecordingCreate(title="b", digest=b"hunter3"))
        assert "hunter" not in str(caught.value)

    def test_deprecation_stands_in_the_documentation_as_text(self):
        path = CASES / "language/expected/generated/language_entities/media/recording.py"
        assert path.read_text("utf-8").count("import os") == 1
        assert '"""Deprecated: x\'\'\'; import os; os._exit(13) # \\\\."""' in path.read_text("utf-8")


async def test_prose_is_data(use, open_database):
    db = await open_database(use(CASES / "prose", "prose_entities"))
    fields = EntityRegistry.get_schema("words").fields
    row = await db.get("words", await db.save("words", {}))
    for name, field in fields.items():
        if "default" in field:
            assert row[name] == field["default"]
    for choice in fields["choice"]["values"]:
        key = await db.save("words", {"choice": choice})
        assert (await db.query("words", {"choice": {"eq": choice}, "id": key}))[0]["choice"] == choice
    assert await db.count("words") == 1 + len(fields["choice"]["values"])
    with pytest.raises(ValidationFailedError):
        await db.save("words", {"checked": "b"})


def test_documentation_says_what_the_schema_says(use):
    project = use(CASES / "prose", "prose_entities")
    words = project.module("evil.words").Words
    assert words.__doc__.startswith("'''); import os; os._exit(13); ('''")
    assert "\\N{DASH} \\x41" in " ".join(words.__doc__.split())
    assert "\u202e" in words.__doc__
    assert project.module("evil").__doc__.endswith("and more\\.")


def loaded(programs, code: str, case: str) -> list[str]:
    """The modules of the golden package that `code` has loaded, in an interpreter of its own."""
    package = f"{case}_entities"
    strict = "import sys, warnings; sys.dont_write_bytecode = True; warnings.simplefilter('error')"
    told = f"import json; print(json.dumps([m for m in sys.modules if m.startswith({package!r})]))"
    done = programs.run(f"{strict}\n{code}\n{told}", cwd=CASES / case / "expected/generated")
    assert done.returncode == 0, done.err
    return sorted(name.removeprefix(package).removeprefix(".") for name in json.loads(done.out))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import keys_entities", [""]),
        ("import keys_entities; keys_entities.Repositories", [""]),
        ("import keys_entities.media", ["", "media"]),
        ("import keys_entities.media.album", ["", "_metadata", "ids", "media", "media.album"]),
        ("from keys_entities.media import AlbumRepository", ["", "_metadata", "ids", "media", "media.album"]),
        ("from keys_entities.media import AlbumId, ArtistId", ["", "ids", "media"]),
        (
            "import keys_entities; from soulspot_db import EntityRegistry; EntityRegistry.get_schema('setting')",
            ["", "_metadata", "archive", "archive.setting", "ids"],
        ),
    ],
)
def test_an_entity_does_not_import_the_others(programs, code, expected):
    assert loaded(programs, code, "keys") == expected


@pytest.mark.parametrize("case", GOLDEN)
def test_everything_exported_exists(case, project):
    for name in project.modules():
        module = project.module(name) if name else importlib.import_module(project.package)
        for exported in getattr(module, "__all__", ()):
            assert getattr(module, exported) is not None
        assert list(getattr(module, "__all__", ())) == list(dict.fromkeys(getattr(module, "__all__", ())))


def test_model_and_input_are_made_of_the_same_fields(use):
    use(CASES / "types", "types_entities")
    schema = EntityRegistry.get_schema("everything")
    assert list(schema.model.model_fields) == list(schema.create_model.model_fields) == list(schema.fields)
    assert list(schema.update_model.model_fields) == [name for name in schema.fields if name != "id"]
    assert issubclass(schema.create_model, EntityCreate)


def test_two_packages_have_two_histories_and_are_not_used_together(use, tmp_path):
    entity = "fields:\n  id: {type: integer, primary_key: true}\n"
    first, second = (
        generated(tmp_path / name, {f"m/{name}.yaml": entity}, package=f"{name}_package")
        for name in ("first", "second")
    )
    use(first, "first_package")
    with pytest.raises(SchemaInvalidError, match="second_package cannot be used beside first_package"):
        use(second, "second_package")
    with EntityRegistry.isolated():
        use(second, "second_package")
        assert EntityRegistry.list_entity_types() == ["second"]
        assert EntityRegistry.get_schema("second").table is not None
    assert EntityRegistry.list_entity_types() == ["first"]


@pytest.mark.parametrize("case", ["encrypted"])
async def test_rows_that_queries_select_do_not_print_what_is_hidden(case, project, open_database):
    db = await open_database(project)
    accounts = importlib.import_module(project.package).Repositories(db).vault.account
    await db.save("account", {"service": "mail", "password": "planted-BQC4"})
    for (row,) in (await accounts.passwords(), await accounts.told()):
        assert row.password == "planted-BQC4"
        assert repr(row) == str(row) == f"{type(row).__name__}(service='mail')"
