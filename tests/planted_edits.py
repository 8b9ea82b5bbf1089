"""Mistakes to plant in the comparison of schemas, each with an edit that shows it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import pytest
from evolutions import Home
from planted import replaced
from soulspot_db import MigrationError
from soulspot_db_codegen import generate
from soulspot_db_codegen.migrations import columns, conversions, differ, pairing, planner, refusals, tables
from soulspot_db_codegen.migrations.columns import Source
from soulspot_db_codegen.migrations.conversions import Conversion

__all__ = ["MISTAKES", "Scene", "play"]

Mistake = Callable[[], AbstractContextManager[Any]]
Rows = Mapping[str, list[tuple[Any, ...]]]


def entity(*fields: str, head: str = "", tail: str = "") -> str:
    listed = "".join(f"  {field}\n" for field in ("id: {type: integer, primary_key: true}", *fields))
    return f"{head}fields:\n{listed}{tail}"


def song(*fields: str, **more: str) -> dict[str, str]:
    return {"m/song.yaml": entity(*fields, **more)}


@dataclass(frozen=True)
class Scene:
    """A schema with rows, what it is edited to one after another, and what comes of it.

    `refused` is what must be said before the last edit is applied, after which it is applied with consent if `lost`;
    `rows` are sorted, with their columns by name; `stays` says that there must be no way back.
    """

    before: Mapping[str, str]
    insert: str
    edits: tuple[Mapping[str, str], ...]
    rows: Rows
    refused: str | None = None
    lost: bool = False
    stays: bool = False
    operations: list[str] | None = None


def play(home: Home, scene: Scene) -> None:
    home.generate(scene.before)
    home.migrate()
    home.sql(scene.insert)
    plans = []
    for number, schemas in enumerate(scene.edits, 1):
        plans.append(home.generate(schemas))
        if scene.refused and number == len(scene.edits):
            with pytest.raises(MigrationError, match=f"cannot be applied: .*{scene.refused}"):
                home.migrate()
            if not scene.lost:
                break
        home.migrate(allow=[plan.revision.id for plan in plans if plan.revision])
        home.require_sound()
    last = plans[-1].revision
    if scene.operations is not None:
        assert last is not None
        assert list(last.operations) == scene.operations
    found = {
        table: sorted(tuple(row[name] for name in sorted(row)) for row in home.rows(home.table(table)))
        for table in scene.rows
    }
    assert found == scene.rows
    if scene.stays and last is not None:
        with pytest.raises(MigrationError, match="cannot be undone"):
            home.migrate(to=last.parent)


SWAP = Scene(
    song("a: {type: string}", "b: {type: string, max_length: 9}"),
    "INSERT INTO m_songs (id, a, b) VALUES (1, 'of a', 'of b')",
    (
        song("a: {type: string, max_length: 9, renamed_from: b}", "b: {type: string, renamed_from: a}"),
        song(
            "a: {type: string, max_length: 9, renamed_from: b}",
            "b: {type: string, renamed_from: a}",
            "c: {type: text, nullable: true}",
        ),
    ),
    {"m_songs": [("of b", "of a", None, 1)]},
)
UNSEEN_SWAP = Scene(
    song("a: {type: string}", "b: {type: string}"),
    "INSERT INTO m_songs (id, a, b) VALUES (1, 'of a', 'of b')",
    (song("a: {type: string, renamed_from: b}", "b: {type: string, renamed_from: a}"),),
    {"m_songs": [("of b", "of a", 1)]},
)


def retyped(before: str, value: str, after: str, found: Any, **more: Any) -> Scene:
    insert = f"INSERT INTO m_songs (id, n) VALUES (1, {value})"
    return Scene(song(f"n: {before}"), insert, (song(f"n: {after}"),), {"m_songs": [(1, found)]}, **more)


NAMED = "indexes: [{fields: [id desc], name: newest}]\n"
PARTIAL = "indexes: [{fields: [title], unique: true, where: {n: 5}}]\n"
TITLES = "INSERT INTO m_songs (id, title) VALUES (1, 'Sinnerman'), (2, 'Four Women')"
TITLE_ROWS = [(1, "Sinnerman"), (2, "Four Women")]
TOMBSTONE = "removed: {title: {data: %s, reason: It is unused.}}\n"
DISCARDED = Scene(
    song("title: {type: string}"),
    TITLES,
    (song(tail=TOMBSTONE % "discard"),),
    {"m_songs": [(1,), (2,)]},
    refused="the values of title of m_songs would be lost, in 2 rows",
    lost=True,
    stays=True,
)
DROPPED = Scene(
    {**song("title: {type: string}"), "m/album.yaml": entity()},
    TITLES,
    ({"m/album.yaml": entity(), "m/_module.yaml": "removed: {song: {data: discard, reason: It is unused.}}\n"},),
    {"m_albums": []},
    refused="the rows of m_songs would be lost, in 2 rows",
    lost=True,
)
INDEX_DROPPED = Scene(
    song("title: {type: string, index: true}", "year: {type: integer, nullable: true}"),
    TITLES,
    (song("title: {type: string}", "year: {type: integer, nullable: true, default: 5}"),),
    {"m_songs": [(1, "Sinnerman", None), (2, "Four Women", None)]},
)


def checked(limit: int) -> dict[str, str]:
    return song("n: {type: integer}", tail=f"checks: {{sane: {{n: {{gte: {limit}}}}}}}\n")


MISTAKES: dict[str, tuple[Mistake, Scene]] = {
    "names swapped without a third": (
        lambda: mock.patch.object(tables, "rename_in_order", lambda moves, _taken: list(moves.items())),
        SWAP,
    ),
    "a hint applied twice": (
        lambda: replaced(pairing._Pairer, "columns", ("if done.get(name) != source", "if True")),
        SWAP,
    ),
    "a swap not seen because the tables look the same": (
        lambda: replaced(generate, "plan_migrations", ("not difference.operations", "True")),
        UNSEEN_SWAP,
    ),
    "a float that becomes an integer as it is": (
        lambda: mock.patch.dict(
            conversions._SIMPLE, {("float", "integer"): Conversion(lossy="{value} <> CAST({value} AS INTEGER)")}
        ),
        retyped("{type: float}", "1.5", "{type: integer}", 1, refused="the part of n of m_songs", lost=True),
    ),
    "the scale of a decimal forgotten": (
        lambda: replaced(conversions, "_decimal", ('f"{{value}} * {10**shift}"', '"{value}"')),
        retyped("{type: integer}", "7", "{type: decimal, precision: 8, scale: 2}", 700),
    ),
    "what a decimal loses not told": (
        lambda: replaced(conversions, "_decimal", ('lossy=f"{{value}} % {10**-shift} <> 0",', "")),
        retyped(
            "{type: decimal, precision: 8, scale: 2}",
            "750",
            "{type: integer}",
            7,
            refused="the part of n of m_songs",
            lost=True,
        ),
    ),
    "NULL taken for text that is no number": (
        lambda: replaced_conversion("string", "float", "NOT json_valid({value})"),
        retyped("{type: string, nullable: true}", "NULL", "{type: float, nullable: true}", None),
    ),
    "text that is no number not looked for": (
        lambda: replaced_conversion("string", "integer", None),
        retyped("{type: string}", "'7x'", "{type: integer}", "7x", refused="whose n cannot become an integer"),
    ),
    "a backfill of a new field forgotten": (
        lambda: replaced(columns, "_fill", ("hints.backfill.get(name) or ", "")),
        Scene(
            song("title: {type: string}"),
            TITLES,
            (song("title: {type: string}", "year: {type: integer, nullable: true, backfill: 1965}"),),
            {"m_songs": [(1, "Sinnerman", 1965), (2, "Four Women", 1965)]},
            stays=True,
        ),
    ),
    "a backfill of a field that becomes required forgotten": (
        lambda: replaced(Source, "sql", ('f"coalesce({value}, {self.fill})"', "value")),
        retyped("{type: integer, nullable: true}", "NULL", "{type: integer, backfill: 5}", 5, stays=True),
    ),
    "a default of a field that becomes required forgotten": (
        lambda: replaced(columns, "_fill", (" or default_sql(column)", "")),
        retyped("{type: integer, nullable: true}", "NULL", "{type: integer, default: 5}", 5, stays=True),
    ),
    "rows without a value for a required field not looked for": (
        lambda: replaced(refusals, "_values", ("source.fill is None", "False")),
        retyped("{type: integer, nullable: true}", "NULL", "{type: integer}", None, refused="without n"),
    ),
    "an index left where a table is rebuilt": (
        lambda: replaced(tables, "_operations", ('yield DropIndex(after["table"], index["name"])', "pass")),
        INDEX_DROPPED,
    ),
    "checks compared by name alone": (
        lambda: mock.patch.object(tables, "_by_name", lambda items: {item["name"] for item in items}),
        Scene(checked(0), "INSERT INTO m_songs VALUES (1, 7)", (checked(5),), {"m_songs": [(1, 7)]}),
    ),
    "rows that break a changed check not looked for": (
        lambda: replaced(tables, "refusals", ('known = any(check["sql"] == old["sql"]', "known = any(True")),
        Scene(
            checked(0),
            "INSERT INTO m_songs VALUES (1, 3)",
            (checked(5),),
            {"m_songs": [(1, 3)]},
            refused=r"1 row of m_songs against the check ck_m_songs_sane \(1\)",
        ),
    ),
    "the values of an enum ignored": (
        lambda: replaced(tables, "_reasons", ('yield "checks"', "return")),
        retyped("{type: enum, values: [a, b]}", "'a'", "{type: enum, values: [a, b, c]}", "a"),
    ),
    "a default ignored": (
        lambda: replaced(tables, "_altered", ('yield "default"', "return")),
        retyped("{type: integer, default: 1}", "7", "{type: integer, default: 2}", 7),
    ),
    "defaults compared as Python compares them": (
        lambda: replaced(
            tables,
            "_altered",
            ("default_text(former)", 'former["default"]'),
            ("default_text(column)", 'column["default"]'),
        ),
        retyped("{type: float, default: 1}", "7.0", "{type: float, default: 1.0}", 7.0),
    ),
    "the loss of a column not told": (
        lambda: replaced(differ, "diff_table", ("found.losses = by_dialect(", "found.losses = [] and by_dialect(")),
        DISCARDED,
    ),
    "the loss of a table not told": (
        lambda: replaced(differ, "_drop", ("found.losses.append(", "[].append(")),
        DROPPED,
    ),
    "the loss of a conversion not told": (
        lambda: replaced(tables, "losses", ("source.conversion.lossy is not None", "False")),
        retyped("{type: float}", "1.5", "{type: integer}", 1, refused="the part of n of m_songs", lost=True),
    ),
    "an archive made after what it keeps is gone": (
        lambda: replaced(
            planner,
            "diff",
            ("    *archives,\n", ""),
            (
                "if not isinstance(operation, DropIndex)),\n",
                "if not isinstance(operation, DropIndex)),\n        *archives,\n",
            ),
        ),
        Scene(
            song("title: {type: string}"),
            TITLES,
            (song(tail=TOMBSTONE % "archive"),),
            {"m_songs": [(1,), (2,)], "archived_m_songs_title_*": TITLE_ROWS},
        ),
    ),
    "preconditions that speak of new names": (
        lambda: replaced(Source, "sql", ("name or self.name_before", 'name or self.column["name"]')),
        Scene(
            song("title: {type: string}"),
            TITLES,
            (song("name: {type: string, max_length: 9, renamed_from: title}"),),
            {"m_songs": TITLE_ROWS},
            refused=r"1 row of m_songs whose title is longer than 9 characters \(2\)",
        ),
    ),
    "orphans looked for under the new name of a table": (
        lambda: replaced(refusals, "_orphans", ('others.before["table"]', 'reference["table"]')),
        Scene(
            {**song(), "m/play.yaml": entity("song: {type: integer}")},
            "INSERT INTO m_plays VALUES (7, 1)",
            (
                {
                    "m/piece.yaml": entity(head="renamed_from: song\n"),
                    "m/play.yaml": entity("song: {type: integer, references: m.piece}"),
                },
            ),
            {"m_plays": [(7, 1)]},
            refused="1 row of m_plays whose song refers to nothing in m_songs",
        ),
    ),
    "a way back offered where something is gone": (
        lambda: replaced(differ, "diff_table", ("found.one_way = list(", "found.one_way = [] and list(")),
        DISCARDED,
    ),
    "a way back that loses new values offered": (
        lambda: replaced(tables, "_one_way", ("if added :=", "if [] and")),
        Scene(
            song("title: {type: string}"),
            TITLES,
            (song("title: {type: string}", "year: {type: integer, nullable: true}"),),
            {"m_songs": [(1, "Sinnerman", None), (2, "Four Women", None)]},
            stays=True,
        ),
    ),
    "new tables made before old ones are renamed": (
        lambda: replaced(
            planner,
            "diff",
            ("        *archives,\n", "        *archives, *map(CreateTable, _in_order_of_references(created)),\n"),
            ("        *map(CreateTable, _in_order_of_references(created)),\n        *(", "        *("),
        ),
        Scene(
            song("title: {type: string}"),
            TITLES,
            (
                {
                    "m/fresh.yaml": entity("year: {type: integer}", head="table_name: m_songs\n"),
                    "m/piece.yaml": entity("title: {type: string}", head="renamed_from: song\n"),
                },
            ),
            {"m_songs": [], "m_pieces": TITLE_ROWS},
        ),
    ),
    "indexes left until other tables want their names": (
        lambda: replaced(
            planner,
            "diff",
            ("*(operation for operation in changes if isinstance(operation, DropIndex)),", ""),
            (" if not isinstance(operation, DropIndex)", ""),
        ),
        Scene(
            {"m/song.yaml": entity(tail=NAMED), "m/tune.yaml": entity()},
            "INSERT INTO m_songs VALUES (1)",
            ({"m/song.yaml": entity(), "m/tune.yaml": entity(), "m/album.yaml": entity(tail=NAMED)},),
            {"m_songs": [(1,)]},
        ),
    ),
    "references that do not follow a rename": (
        lambda: replaced(differ, "renamed", ('"table": names.table(key["table"])', '"table": key["table"]')),
        Scene(
            {**song(), "m/play.yaml": entity("song: {type: integer, references: m.song}")},
            "INSERT INTO m_songs VALUES (1)",
            (
                {
                    "m/piece.yaml": entity(head="renamed_from: song\n"),
                    "m/play.yaml": entity("song: {type: integer, references: m.piece}"),
                },
            ),
            {"m_pieces": [(1,)]},
            operations=["rename table m_songs to m_pieces", "rebuild table m_pieces: names of constraints"],
        ),
    ),
    "a primary key ignored": (
        lambda: replaced(tables, "_reasons", ('yield "primary key"', "return")),
        Scene(
            {"m/song.yaml": "fields:\n  id: {type: integer, primary_key: true}\n  code: {type: string}\n"},
            "INSERT INTO m_songs VALUES (1, 'a')",
            ({"m/song.yaml": "fields:\n  id: {type: integer}\n  code: {type: string, primary_key: true}\n"},),
            {"m_songs": [("a", 1)]},
        ),
    ),
    "rows that come into a partial unique index not looked for": (
        lambda: replaced(refusals, "_is_new", (" or any(quoted(name) in where for name in changed)", "")),
        Scene(
            song("title: {type: string}", "n: {type: integer, nullable: true}", tail=PARTIAL),
            "INSERT INTO m_songs (id, title, n) VALUES (1, 'a', NULL), (2, 'a', 5)",
            (song("title: {type: string}", "n: {type: integer, backfill: 5}", tail=PARTIAL),),
            {"m_songs": [(1, None, "a"), (2, 5, "a")]},
            refused="2 rows of m_songs with the same title as another",
        ),
    ),
    "digits that text loses as a float not told": (
        lambda: mock.patch.dict(
            conversions._SIMPLE, {("string", "float"): replace(conversions._SIMPLE["string", "float"], lossy=None)}
        ),
        retyped(
            "{type: string}",
            "'0.12345678901234567'",
            "{type: float}",
            0.12345678901234567,
            refused="the part of n of m_songs",
            lost=True,
        ),
    ),
    "an index that becomes unique believed to be so already": (
        lambda: replaced(refusals, "_same_values", ('old["unique"] and ', "")),
        Scene(
            song("title: {type: string, index: true}"),
            "INSERT INTO m_songs VALUES (1, 'a'), (2, 'a')",
            (song("title: {type: string, unique: true}"),),
            {"m_songs": [(1, "a"), (2, "a")]},
            refused="2 rows of m_songs with the same title as another",
        ),
    ),
}


def replaced_conversion(before: str, after: str, impossible: str | None) -> AbstractContextManager[Any]:
    """A conversion that takes other values for impossible."""
    known = conversions._SIMPLE[before, after]
    return mock.patch.dict(
        conversions._SIMPLE, {(before, after): Conversion(known.sql, known.lossy, impossible, known.back)}
    )
