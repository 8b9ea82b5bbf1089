"""`generate` asks SQLite how it would run each named query, and warns of those that read or sort a large table whole."""

import pytest
from projects import REPOSITORY, run, write_project
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.generate import read_schemas

TRACK = """\
expect_rows: {rows}
fields:
  id: {{type: uuid, primary_key: true}}
  title: {{type: string}}
  isrc: {{type: string, nullable: true}}
  status: {{type: enum, values: [new, done, failed]}}
  album_id: {{type: uuid, nullable: true, references: music.album, index: true}}
  plays: {{type: integer, default: 0}}
  rating: {{type: integer, nullable: true}}
  genres: {{type: list, items: string, default: []}}
  created_at: {{type: datetime, default: now}}
  album_title: {{type: string, nullable: true}}
"""
ALBUM = """\
expect_rows: 20000
fields:
  id: {type: uuid, primary_key: true}
  name: {type: string}
"""
HINT = ", or say with 'full_scan: ...' why that is not needed\n"
NO_INDEX = "    no index would help; if that is how it must be, say why with 'full_scan: ...'\n"


def warned(tmp_path, query, *, rows=100_000, more="", album=ALBUM):
    """What `generate` says of a query of tracks, without where it is."""
    text = TRACK.format(rows=rows) + more + f"queries:\n  asked: {query}\n"
    outcome = run(write_project(tmp_path, {"music/track.yaml": text, "music/album.yaml": album}))
    assert outcome.code == 0, outcome.err
    return outcome.err


def advised(tmp_path, query, **options):
    """The indexes that it would have, as the lines to write."""
    said = warned(tmp_path, query, **options)
    hints = [line.strip() for line in said.splitlines() if line.startswith("    add ")]
    assert len(hints) == 1, said
    return hints[0].removeprefix("add ").removesuffix(HINT.strip()).removesuffix(" to the 'indexes'")


def test_a_scan_of_a_large_table_is_warned_of_where_the_query_is_with_the_index_that_spares_it(tmp_path):
    said = warned(tmp_path, "{where: {isrc: {param: isrc}}}")
    assert said == (
        "warning: schemas/music/track.yaml:14:3: 'asked' reads every row of 'track', of which 100000 are expected\n"
        "    add '- {fields: [isrc]}' to the 'indexes'" + HINT
    )


def test_with_that_index_nothing_is_said(tmp_path):
    query = "{where: {isrc: {param: isrc}}}"
    assert warned(tmp_path, query, more="indexes:\n- {fields: [isrc]}\n") == ""


@pytest.mark.parametrize(("rows", "told"), [(9_999, False), (10_000, True)])
def test_tables_of_ten_thousand_rows_are_large(tmp_path, rows, told):
    said = warned(tmp_path, "{where: {isrc: {param: isrc}}}", rows=rows)
    assert (f"of which {rows} are expected" in said) is told


def test_a_table_of_which_nothing_is_expected_may_be_read_whole(tmp_path):
    text = (TRACK.format(rows=1) + "queries:\n  asked: {where: {title: x}}\n").removeprefix("expect_rows: 1\n")
    assert run(write_project(tmp_path, {"music/track.yaml": text, "music/album.yaml": ALBUM})).err == ""


@pytest.mark.parametrize(
    ("query", "line"),
    [
        ("{where: {status: failed}, order_by: [created_at desc, id], limit: 10}", "[status, created_at desc, id]"),
        ("{where: {title: {ieq: {param: title}}}}", "[lower(title)]"),
        ("{where: {title: {starts_with: {param: start}}}}", "[title]"),
        ("{where: {created_at: {lt: {now: -7d}}}}", "[created_at]"),
        ("{where: {isrc: null, plays: {gt: 3}}}", "[isrc, plays]"),
        ("{where: {status: {in: [new, failed]}}}", "[status]"),
        ("{where: {title: {param: title}}, returns: exists}", "[title]"),
        ("{where: {title: {param: title}}, returns: count}", "[title]"),
        ("{where: {title: {param: title}}, select: isrc}", "[title]"),
        ("{where: {title: {param: title}}, update: {plays: 0}}", "[title]"),
        ("{where: {title: {param: title}}, delete: true}", "[title]"),
        ("{where: {title: {param: title}}, select: {n: {count: '*'}}}", "[title]"),
        ("{upsert: {match: [title]}}", "[title]"),
    ],
)
def test_the_index_is_one_that_the_query_can_use(tmp_path, query, line):
    found = advised(tmp_path / "before", query)
    assert found == f"'- {{fields: {line}}}'"
    assert warned(tmp_path / "after", query, more=f"indexes:\n{found[1:-1]}\n") == ""


def test_what_a_claim_chooses_by_is_explained(tmp_path):
    query = "{claim: {status: done}, where: {status: new}, order_by: [created_at], limit: 1}"
    found = advised(tmp_path, query)
    assert found == "'- {fields: [status, created_at]}'"


def test_what_many_rows_have_in_common_does_not_spare_sorting_them(tmp_path):
    """An index finds the new ones, which may be most: only one that has them in order is quick to the first ten."""
    query = "{where: {status: new}, order_by: created_at, limit: 10}"
    assert "sorts all that it finds of 'track'" in warned(tmp_path, query, more="indexes: [{fields: [status]}]\n")


def test_the_few_rows_that_have_a_value_may_be_sorted(tmp_path):
    query = "{where: {album_id: {param: album_id}}, order_by: title, limit: 10}"
    assert warned(tmp_path, query) == ""


def test_rows_that_are_all_returned_may_be_sorted(tmp_path):
    query = "{where: {status: new}, order_by: created_at}"
    assert warned(tmp_path, query, more="indexes: [{fields: [status]}]\n") == ""


def test_the_first_rows_of_an_index_are_no_scan(tmp_path):
    more = "indexes: [{fields: [created_at desc, id]}]\n"
    assert warned(tmp_path, "{order_by: [created_at desc, id], limit: 10}", more=more) == ""


def test_a_page_is_in_the_order_that_its_cursor_goes_on_in(tmp_path):
    query = "{returns: page, order_by: [created_at desc]}"
    assert advised(tmp_path, query) == "'- {fields: [created_at desc, id desc]}'"


def test_a_row_that_may_be_the_last_to_be_met_is_a_scan(tmp_path):
    more = "indexes: [{fields: [created_at]}]\n"
    said = warned(tmp_path, "{where: {title: {param: title}}, order_by: created_at, limit: 1}", more=more)
    assert "reads every row of 'track'" in said


@pytest.mark.parametrize(
    "query",
    [
        "{where: {title: {contains: {param: words}}}}",
        "{where: {title: {like: {param: pattern}}}}",
        """{where: {title: {contains: "who's :given? {}"}}}""",
        "{where: {genres: {contains: {param: genre}}}}",
        "{where: {rating: {lt: {field: plays}}}}",
        "{where: {title: {ne: {param: title}}}}",
        "{select: {status: status, n: {count: '*'}}, group_by: [status]}",
        "{returns: count}",
        "{}",
    ],
)
def test_where_no_index_would_help_that_is_said(tmp_path, query):
    said = warned(tmp_path, query)
    assert said.endswith(f"'asked' reads every row of 'track', of which 100000 are expected\n{NO_INDEX}")


def test_alternatives_need_an_index_each(tmp_path):
    query = "{where: {or: [{title: {param: title}}, {isrc: {param: isrc}}]}}"
    assert advised(tmp_path, query) == "'- {fields: [title]}' and '- {fields: [isrc]}'"


def test_an_alternative_that_has_its_index_needs_no_other(tmp_path):
    query = "{where: {or: [{title: {param: title}}, {isrc: {param: isrc}}]}}"
    assert advised(tmp_path, query, more="indexes: [{fields: [isrc, title]}]\n") == "'- {fields: [title]}'"


def test_one_alternative_without_an_index_is_a_scan_all_the_same(tmp_path):
    said = warned(tmp_path, "{where: {or: [{title: {param: title}}, {isrc: {contains: {param: isrc}}}]}}")
    assert said.endswith(NO_INDEX)


def test_an_upsert_finds_rows_by_each_of_its_matches(tmp_path):
    query = "{upsert: {match: [isrc, [lower(title), plays]]}}"
    assert advised(tmp_path, query) == "'- {fields: [isrc]}' and '- {fields: [plays, lower(title)]}'"


def test_a_partial_index_serves_the_rows_that_it_is_about(tmp_path):
    query = "{where: {isrc: {ne: null}}, select: isrc}"
    assert advised(tmp_path / "before", query) == "'- {fields: [isrc], where: {isrc: {ne: null}}}'"
    more = "indexes: [{fields: [isrc], where: {isrc: {ne: null}}}]\n"
    assert warned(tmp_path / "after", query, more=more) == ""


def test_the_rows_of_a_partial_index_may_all_be_read(tmp_path):
    query = "{where: {isrc: null}, order_by: [title, id], limit: 10}"
    assert "reads every row" in warned(tmp_path / "whole", query, more="indexes: [{fields: [title, id]}]\n")
    more = "indexes: [{fields: [title, id], where: {isrc: null}}]\n"
    assert warned(tmp_path / "partial", query, more=more) == ""


def test_what_is_null_may_be_so_in_most_rows(tmp_path):
    query = "{where: {isrc: null}, order_by: created_at, limit: 10}"
    found = advised(tmp_path, query, more="indexes:\n- {fields: [isrc]}\n")
    assert found == "'- {fields: [isrc, created_at]}'"


def test_a_query_is_looked_at_without_its_optional_conditions_too(tmp_path):
    query = "{where: {title: {param: title, optional: true}}, order_by: [created_at, id], limit: 10}"
    more = "indexes: [{fields: [title, created_at, id]}]\n"
    said = warned(tmp_path / "one", query, more=more)
    assert "'asked' without its optional conditions sorts" in said or "without its optional conditions reads" in said
    both = "indexes: [{fields: [title, created_at, id]}, {fields: [created_at, id]}]\n"
    assert warned(tmp_path / "both", query, more=both) == ""


def test_related_rows_are_looked_for_by_an_index_of_theirs(tmp_path):
    album = ALBUM + "queries:\n  silent: {where: {tracks: {none: {}}}}\n"
    track = TRACK.format(rows=100_000).replace(", index: true", "")
    outcome = run(write_project(tmp_path, {"music/track.yaml": track, "music/album.yaml": album}))
    assert "'silent' reads every row of 'track', of which 100000 are expected\n" in outcome.err
    assert "add '- {fields: [album_id]}' to the 'indexes' of 'track'" in outcome.err


def test_a_reason_spares_the_warning(tmp_path):
    assert warned(tmp_path, "{returns: count, full_scan: Once a day.}") == ""


def test_a_reason_without_a_scan_is_told(tmp_path):
    query = "{where: {id: {param: id}}, full_scan: Once a day.}"
    assert warned(tmp_path, query) == (
        "warning: schemas/music/track.yaml:14:37: 'full_scan' excuses nothing: "
        "'asked' reads no large table as a whole\n    remove it\n"
    )


def test_a_reason_is_no_part_of_what_is_generated(tmp_path):
    warned(tmp_path / "without", "{returns: count}")
    warned(tmp_path / "with", "{returns: count, full_scan: Once a day.}")
    path = "generated/entities/music/track.py"
    assert (tmp_path / "with" / path).read_bytes() == (tmp_path / "without" / path).read_bytes()


def test_soulspot_s_own_queries_have_their_indexes_or_their_reasons():
    assert read_schemas(load_configuration(REPOSITORY)).warnings == ()


IN_SQL = "    add an index that the text can use, or say with 'full_scan: ...' why it needs none\n"


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("SELECT * FROM music_tracks WHERE plays + 1 > :least", ["track"]),
        ("SELECT t.* FROM music_tracks AS t WHERE t.plays + 1 > :least", ["track"]),
        ("SELECT T.* FROM music_tracks AS T WHERE T.plays + 1 > :least", ["track"]),
        ("SELECT Tr.* FROM music_tracks Tr WHERE tr.plays + 1 > :least", ["track"]),
        ("SELECT t.* FROM music_tracks t JOIN music_albums a ON a.id = t.album_id WHERE t.plays > :least", ["album"]),
        (
            "SELECT t.* FROM music_albums, music_tracks t WHERE t.album_id = music_albums.id AND name > :least",
            ["album"],
        ),
        ("SELECT * FROM music_tracks WHERE plays > :least AND id IN (SELECT 'x' FROM music_albums)", ["album"]),
        ("SELECT * FROM music_tracks WHERE album_id = :least", []),
    ],
)
def test_queries_in_sql_are_explained_as_they_are(tmp_path, text, entities):
    query = f'{{sql: "{text}", params: {{least: {{type: text}}}}}}'
    said = warned(tmp_path, query)
    told = [f"'asked' reads every row of {entity!r}" for entity in entities]
    assert [line.partition("3: ")[2].partition(",")[0] for line in said.splitlines()[::2]] == told
    assert said.count(IN_SQL) == len(entities)
    assert warned(tmp_path, query[:-1] + ", full_scan: It is asked once a day.}") == "" if entities else True


def test_rows_that_are_hidden_are_not_in_a_unique_index_and_not_looked_for(tmp_path):
    hiding = "soft_delete: gone_at\n", "  gone_at: {type: datetime, nullable: true}\n"
    text = hiding[0] + TRACK.format(rows=100_000).replace(
        "{type: string, nullable: true}\n", "{type: string, unique: true}\n", 1
    )
    queries = "queries:\n  asked: {where: {isrc: {param: isrc}}}\n"
    outcome = run(write_project(tmp_path, {"music/track.yaml": text + hiding[1] + queries, "music/album.yaml": ALBUM}))
    assert outcome.err == ""
