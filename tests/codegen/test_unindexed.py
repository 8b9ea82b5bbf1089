"""`generate` warns of references that no index begins with, and generates all the same."""

import pytest
from projects import REPOSITORY, run, write_project
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.generate import read_schemas

TRACK = "fields:\n  id: {type: integer, primary_key: true}\n"
WARNING = (
    "warning: schemas/music/play.yaml:3:41: no index begins with 'track_id': "
    "deleting a row of music.track reads every row of 'play'\n"
    "    add 'index: true'\n"
)


def play(rules="", *, more="", key="primary_key: true"):
    return (
        f"fields:\n  id: {{type: integer{key and f', {key}'}}}\n"
        f"  track_id: {{type: integer, references: music.track{rules}}}\n{more}"
    )


def project(tmp_path, text):
    return write_project(tmp_path / "project", {"music/track.yaml": TRACK, "music/play.yaml": text})


def test_a_reference_without_an_index_is_warned_of_where_it_stands(tmp_path):
    root = project(tmp_path, play())
    outcome = run(root)
    assert (outcome.code, outcome.err) == (0, WARNING)
    assert "create migrations/snapshot/music/play.json\n" in outcome.out


def test_check_warns_too_and_finds_nothing_to_do(tmp_path):
    root = project(tmp_path, play())
    run(root)
    outcome = run(root, "--check")
    assert (outcome.code, outcome.out, outcome.err) == (0, "everything is up to date\n", WARNING)


def test_what_programs_read_stays_alone_on_stdout(tmp_path):
    outcome = run(project(tmp_path, play()), "--format", "json")
    assert (outcome.code, outcome.out) == (0, "[]\n")
    assert WARNING in outcome.err


@pytest.mark.parametrize(
    "text",
    [
        play(", index: true"),
        play(", unique: true"),
        play(more="indexes: [{fields: [track_id desc, id]}]\n"),
        play(", nullable: true", more="indexes: [{fields: [track_id], where: {track_id: {ne: null}}}]\n"),
        play(key="", more="primary_key: [track_id, id]\n"),
    ],
    ids=["index", "unique", "the first of several", "all that refer", "the first of the key"],
)
def test_any_index_that_begins_with_the_field_will_do(tmp_path, text):
    outcome = run(project(tmp_path, text))
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize(
    "text",
    [
        play(more="indexes: [{fields: [id, track_id]}]\n"),
        play(more="indexes: [{fields: [track_id], where: {id: {gt: 5}}}]\n"),
        play(key="", more="primary_key: [id, track_id]\n"),
    ],
    ids=["the second of several", "some rows", "the second of the key"],
)
def test_an_index_that_does_not_find_all_rows_by_it_will_not_do(tmp_path, text):
    assert WARNING in run(project(tmp_path, text)).err


def test_soulspot_s_own_references_have_their_indexes():
    assert read_schemas(load_configuration(REPOSITORY)).warnings == ()
