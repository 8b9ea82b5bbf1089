"""An entity that is removed while others still refer to it: who does, and what to do first."""

import pytest
from evolutions import text_of
from planted_edits import entity, song

PLAY = "song: {type: integer, references: m.song}"
BOTH = {**song("title: {type: string}"), "m/play.yaml": entity(PLAY)}
TOMBSTONE = "removed: {song: {data: discard, reason: Nobody sings.}}\n"


def test_a_reference_to_an_entity_with_a_tombstone_is_named_with_the_way_out(home):
    home.generate(BOTH)
    assert home.complaint({"m/play.yaml": entity(PLAY), "m/_module.yaml": TOMBSTONE}) == (
        "schemas/m/play.yaml:3:37: the field 'song' of 'play' still refers to the removed entity 'm.song'\n"
        "    let it refer to another entity, or remove it as well: "
        "'removed: {song: {data: discard, reason: ...}}' in this file"
    )


def test_a_reference_to_an_entity_without_a_file_says_so(home):
    home.generate(BOTH)
    assert home.complaint({"m/play.yaml": entity(PLAY)}) == (
        "schemas/m/play.yaml:3:37: unknown entity 'm.song'\n"
        "    write 'module.entity'; where that one was removed or renamed, this field has to follow first"
    )


@pytest.mark.parametrize("data", ["discard", "archive"])
def test_the_field_and_the_entity_may_go_in_one_revision(home, data):
    home.generate(BOTH)
    home.migrate()
    home.sql("INSERT INTO m_songs VALUES (1, 'Sinnerman')", "INSERT INTO m_plays VALUES (7, 1)")
    tombstone = TOMBSTONE.replace("discard", data)
    plan = home.generate({"m/play.yaml": entity(tail=tombstone), "m/_module.yaml": tombstone})
    assert plan.revision.title == "Drop song and drop song of play"
    home.migrate(allow=[plan.revision.id])
    home.require_sound()
    assert home.rows("m_plays") == [{"id": 7}]
    assert ("steps.archive" in text_of(home.newest)) == (data == "archive")
