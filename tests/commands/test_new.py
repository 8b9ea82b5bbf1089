"""`soulspot-db new entity`: a file to begin with, or a class that was written by hand."""

import importlib
import sys

import pytest
from projects import generated, tree, write_project, write_schema
from soulspot_db import EntityRegistry
from soulspot_db.language.table import describe
from soulspot_db.schema import resolved
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.generate import read_schemas
from soulspot_db_codegen.yaml_reader import read_yaml

SONG = "fields:\n  id: {type: uuid, primary_key: true}\n"
HAND_WRITTEN = ["PlaylistSchema", "PlaylistTrackSchema", "CounterSchema", "JobSchema", "EverythingSchema"]


@pytest.fixture
def root(tmp_path):
    return write_project(tmp_path, {"music/song.yaml": SONG})


@pytest.fixture
def write_class(root):
    """A module in the project's folder that holds one schema class."""
    made = []

    def write(body, base="EntitySchema"):
        name = f"handwritten_{len(made)}_{root.parent.name.replace('-', '_')}"
        made.append(name)
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        (root / f"{name}.py").write_text(f"from soulspot_db import EntitySchema\n\n\nclass Made({base}):\n{lines}")
        importlib.invalidate_caches()
        return f"{name}:Made"

    yield write
    for name in made:
        sys.modules.pop(name, None)


def text(root, name):
    return (root / f"schemas/{name}.yaml").read_text("utf-8")


def table(root, entity, target=None):
    """The table that generating makes of a schema file."""
    found = {item.path: item.table for item in read_schemas(load_configuration(root)).entities}
    return found[entity]


def test_an_example_is_written_that_generates_as_it_is(cli, root):
    outcome = cli("new", "entity", "podcasts/show", "--project", root)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "create schemas/podcasts/_module.yaml\ncreate schemas/podcasts/show.yaml\n"
    assert text(root, "podcasts/show").startswith("# What one row is")
    assert "\ndescription: One show.\n" in text(root, "podcasts/show")
    assert cli("generate", "--project", root).code == 0
    assert (root / "generated/entities/podcasts/show.py").is_file()


def test_a_module_that_has_its_own_file_keeps_it(cli, root):
    write_schema(root, "music/_module.yaml", "description: Mine.\n")
    assert cli("new", "entity", "music/album", "--project", root).out == "create schemas/music/album.yaml\n"
    assert text(root, "music/_module") == "description: Mine.\n"


def test_editors_are_told_of_the_json_schema_where_the_project_has_it(cli, root):
    (root / "schemas/entity.schema.json").write_text("{}")
    cli("new", "entity", "music/album", "--project", root)
    assert text(root, "music/album").startswith("# yaml-language-server: $schema=../entity.schema.json\n")
    assert not text(root, "music/_module").startswith("#")


def test_the_project_is_found_from_a_folder_inside_it(cli, root, monkeypatch):
    monkeypatch.chdir(root / "schemas/music")
    assert cli("new", "entity", "music/album").code == 0
    assert (root / "schemas/music/album.yaml").is_file()


def test_a_file_that_is_there_is_refused(cli, root):
    outcome = cli("new", "entity", "music/song", "--project", root)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("schemas/music/song.yaml:1:1: is already there\n")
    assert text(root, "music/song") == SONG


@pytest.mark.parametrize(
    "name",
    [
        "album",
        "music/Album",
        "Music/album",
        "music/",
        "/album",
        "music/a/b",
        "../music/album",
        "music/class",
        "ids/album",
        "music/_module",
        "_mixins/x",
    ],
)
def test_a_bad_name_is_wrong_usage_and_writes_nothing(cli, root, name):
    before = sorted(root.rglob("*"))
    outcome = cli("new", "entity", name, "--project", root)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("music/class", "an entity cannot be named 'class': it is a keyword of Python"),
        ("class/album", "a module cannot be named 'class': it is a keyword of Python"),
        ("music/Album", "an entity cannot be named 'Album': it is not a name: use lower-case letters"),
        ("ids/album", "a module cannot be named 'ids': generated code needs the name"),
    ],
)
def test_a_bad_name_is_refused_with_what_is_wrong_with_it(cli, root, name, reason):
    assert reason in cli("new", "entity", name, "--project", root).err


def test_a_new_entity_that_takes_the_name_another_has_given_itself_is_refused(cli, root):
    (root / "schemas/music/song.yaml").rename(root / "schemas/music/tune.yaml")
    with (root / "schemas/music/tune.yaml").open("a") as file:
        file.write("entity_type: song\n")
    outcome = cli("new", "entity", "radio/song", "--project", root)
    assert outcome.code == 1
    assert "entity type 'song' is already taken by schemas/radio/song.yaml" in outcome.err


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("radio/song", "entity type 'song' is already taken"),
        ("music/literal", "generated code needs the class name 'Literal'"),
        (f"music/{'a' * 64}", "at most 63 fit"),
    ],
)
def test_a_name_for_which_the_project_has_no_room_is_refused(cli, root, name, reason):
    outcome = cli("new", "entity", name, "--project", root)
    assert (outcome.code, outcome.out) == (1, "")
    assert reason in outcome.err
    assert [path.name for path in (root / "schemas").rglob("*.yaml")] == ["song.yaml"]


def test_problems_that_were_there_before_are_in_nobodys_way(cli, root):
    write_schema(root, "music/broken.yaml", "fields: {}\n")
    assert cli("new", "entity", "music/album", "--project", root).code == 0


@pytest.mark.parametrize("name", HAND_WRITTEN)
def test_the_yaml_of_a_class_generates_the_same_table(cli, root, name):
    schema = getattr(importlib.import_module("support"), name)
    others = HAND_WRITTEN[:1] if name == "PlaylistTrackSchema" else []
    for written in [*others, name]:
        kind = getattr(importlib.import_module("support"), written).entity_type
        outcome = cli("new", "entity", f"spotify/{kind}", "--from", f"support:{written}", "--project", root)
        assert outcome.code == 0, outcome.err
    expected = describe(resolved(schema).spec, lambda _reference: ("playlists", "id"))
    assert table(root, f"spotify.{schema.entity_type}") == expected
    assert cli("generate", "--project", root).code == 0


def test_fields_stand_in_two_columns_with_their_type_first(cli, root):
    cli("new", "entity", "spotify/job", "--from", "support:JobSchema", "--project", root)
    assert text(root, "spotify/job") == (
        "table_name: jobs\n"
        "fields:\n"
        "  id:       {type: integer, primary_key: true}\n"
        "  title:    {type: string, column: job_title, unique: true, max_length: 10}\n"
        "  priority: {type: integer, nullable: true}\n"
    )


def test_indexes_and_a_composite_key_are_written_where_a_reader_looks_for_them(cli, root):
    cli("new", "entity", "spotify/playlist", "--from", "support:PlaylistSchema", "--project", root)
    cli("new", "entity", "spotify/playlist_track", "--from", "support:PlaylistTrackSchema", "--project", root)
    assert text(root, "spotify/playlist").endswith("indexes:\n  - {fields: [status, created_at desc]}\n")
    assert text(root, "spotify/playlist_track").startswith(
        "table_name: playlist_tracks\nprimary_key: [playlist_id, track_id]\nfields:\n"
    )


def test_a_generated_class_comes_back_as_the_schema_it_was_made_from(cli, root, tmp_path, monkeypatch):
    schema = (
        "table_name: all_tracks\nnatural_key: code\nfields:\n  id: {type: uuid, primary_key: true}\n"
        "  code: {type: string, max_length: 9, unique: true}\n  tags: {type: list, items: string, default: []}\n"
        "indexes:\n  - {fields: [code, id desc], unique: true, name: by_code}\ncache: false\n"
    )
    other = generated(tmp_path / "other", {"music/track.yaml": schema}, package="returning_entities")
    monkeypatch.syspath_prepend(other / "generated")
    place = "returning_entities.music.track:TrackSchema"
    with EntityRegistry.isolated():  # this process may have imported SoulSpot's own package
        assert cli("new", "entity", "music/track", "--from", place, "--project", root).code == 0
    assert read_yaml(text(root, "music/track")).data == read_yaml(schema).data
    assert table(root, "music.track") == table(other, "music.track")


def test_what_the_place_of_the_file_says_is_left_out_and_all_else_is_kept(cli, root, write_class):
    place = write_class(
        "entity_type = 'album'\ntable_name = 'music_albums'\ndescription = 'Said: \"so\", #1.'\nnatural_key = 'code'\n"
        "events = False\ncache = {'ttl': 300}\n"
        "fields = {'id': {'primary_key': True, 'type': 'uuid'}, 'code': {'type': 'string', 'unique': True}}"
    )
    assert cli("new", "entity", "music/album", "--from", place, "--project", root).code == 0
    assert text(root, "music/album") == (
        "description: 'Said: \"so\", #1.'\n"
        "natural_key: code\n"
        "fields:\n"
        "  id:   {type: uuid, primary_key: true}\n"
        "  code: {type: string, unique: true}\n"
        "cache: {ttl: 300}\n"
        "events: false\n"
    )


def test_mixins_checks_and_conditions_are_written_as_a_class_says_them(cli, root, write_class):
    write_schema(root, "_mixins/timestamps.yaml", "fields:\n  created_at: {type: datetime, default: now}\n")
    place = write_class(
        "entity_type = 'album'\ntable_name = 'music_albums'\nuse = ('timestamps',)\n"
        "fields = {'id': {'type': 'uuid', 'primary_key': True}, 'a': {'type': 'integer'}, 'b': {'type': 'integer'}}\n"
        "indexes = ({'fields': ['a', 'b desc'], 'where': {'a': {'gt': 3}}},)\n"
        "checks = {'ordered': {'a': {'lt': {'field': 'b'}}}}"
    )
    assert cli("new", "entity", "music/album", "--from", place, "--project", root).code == 0
    assert text(root, "music/album") == (
        "use: [timestamps]\n"
        "fields:\n"
        "  id: {type: uuid, primary_key: true}\n"
        "  a:  {type: integer}\n"
        "  b:  {type: integer}\n"
        "indexes:\n"
        "  - {fields: [a, b desc], where: {a: {gt: 3}}}\n"
        "checks:\n"
        "  ordered: {a: {lt: {field: b}}}\n"
    )
    assert [column["name"] for column in table(root, "music.album")["columns"]] == ["id", "a", "b", "created_at"]


def test_a_table_prefix_of_the_module_counts_as_said(cli, root, write_class):
    write_schema(root, "music/_module.yaml", "table_prefix: m\n")
    place = write_class(
        "entity_type = 'album'\ntable_name = 'm_albums'\nfields = {'id': {'type': 'uuid', 'primary_key': True}}"
    )
    cli("new", "entity", "music/album", "--from", place, "--project", root)
    assert "table_name" not in text(root, "music/album")


@pytest.mark.parametrize(
    "value",
    [
        "no",
        "true",
        "null",
        "~",
        "012",
        "1.5",
        "1e3",
        "a: b",
        "# c",
        "it's",
        '"',
        "two\nlines",
        "  ",
        "",
        "ü✓",
        "{x}",
        "[",
        "&a",
        "*a",
        "!t",
        "%",
        "@",
        "-",
        "? x",
        "\\",
        "\t",
        "x" * 300,
    ],
)
def test_every_text_is_read_as_it_was_written(cli, root, write_class, value):
    place = write_class(
        "entity_type = 'album'\ntable_name = 'albums'\n"
        f"fields = {{'id': {{'type': 'uuid', 'primary_key': True}}, 'on': {{'type': 'text', 'default': {value!r}}}}}"
    )
    assert cli("new", "entity", "music/album", "--from", place, "--project", root).code == 0
    assert read_yaml(text(root, "music/album")).data["fields"]["on"]["default"] == value
    assert len(text(root, "music/album").splitlines()) == 4


def test_an_entity_may_refer_to_one_that_is_written_later(cli, root):
    first = cli("new", "entity", "spotify/playlist_track", "--from", "support:PlaylistTrackSchema", "--project", root)
    assert first.code == 0
    assert "unknown entity 'spotify.playlist'" in cli("generate", "--project", root).err
    cli("new", "entity", "spotify/playlist", "--from", "support:PlaylistSchema", "--project", root)
    assert cli("generate", "--project", root).code == 0


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ("{'type': 'sting'}", "fields.name: unknown field type 'sting'\n    did you mean 'string'?"),
        ("{'type': 'string', 'nulable': True}", "fields.name: unknown key 'nulable'\n    did you mean 'nullable'?"),
        ("{'type': 'integer', 'max_length': 3}", "fields.name: 'max_length' does not go with type 'integer'"),
        ("{'type': 'string', 'default': object}", "cannot be written as YAML"),
        ("{'type': 'float', 'default': float('nan')}", "cannot be written as YAML"),
        ("{'type': 'string', 'default': chr(0xd800)}", "cannot be written as YAML"),
        ("3", "fields.name: expected a mapping"),
    ],
)
def test_a_class_that_contradicts_the_language_is_refused_by_its_name(cli, root, write_class, rules, reason):
    place = write_class(
        f"entity_type = 'album'\ntable_name = 'albums'\nfields = {{'id': {{'type': 'uuid', 'primary_key': True}}, 'name': {rules}}}"
    )
    outcome = cli("new", "entity", "music/album", "--from", place, "--project", root)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(f"{place}:1:1: ")
    assert reason in outcome.err
    assert not (root / "schemas/music/album.yaml").exists()


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("support", "write package.module:Class"),
        ("support:", "write package.module:Class"),
        ("nothing_of_this_name:A", "cannot import nothing_of_this_name: ModuleNotFoundError"),
        ("support:Missing", "support has no 'Missing'"),
        ("support:settings", "support:settings is not a schema"),
        ("support:Path", "support:Path is not a schema"),
        ("broken_module:A", "cannot import broken_module: ZeroDivisionError"),
        ("ending_module:A", "cannot import ending_module: SystemExit"),
    ],
)
def test_a_class_that_cannot_be_read_is_wrong_usage(cli, root, place, reason):
    (root / "broken_module.py").write_text("1 / 0\n")
    (root / "ending_module.py").write_text("raise SystemExit(0)\n")
    importlib.invalidate_caches()
    path = sys.path.copy()
    outcome = cli("new", "entity", "music/album", "--from", place, "--project", root)
    assert (outcome.code, outcome.out) == (2, "")
    assert reason in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert sys.path == path
    assert not (root / "schemas/music/album.yaml").exists()


def test_writing_a_schema_generates_nothing(cli, root):
    cli("new", "entity", "music/album", "--project", root)
    assert tree(root) == {}


def test_it_says_that_a_class_is_run(cli):
    assert "which runs its code" in " ".join(cli("new", "entity", "--help").out.split())


def test_no_project_is_wrong_usage(cli, tmp_path_factory):
    assert cli("new", "entity", "music/album", "--project", tmp_path_factory.mktemp("empty")).code == 2


def test_a_new_entity_beside_others_adds_a_revision(cli, tmp_path):
    root = generated(tmp_path, {"music/song.yaml": SONG})
    cli("new", "entity", "music/album", "--project", root)
    assert "create migrations/versions/0002_create_album.py" in cli("generate", "--project", root).out
