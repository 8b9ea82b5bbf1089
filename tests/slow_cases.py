"""What is asked of the tracks: calls for which an index is missing, with the index, and calls that none would help."""

import re

from slow_schemas import asked
from soulspot_db.language.advised import Advised
from soulspot_db.language.table import index_sql
from soulspot_db.monitoring.slow.entities import known_tables
from support import outside

__all__ = ["RIGHT", "SILENT", "advice", "indexes", "lines", "make_indexes", "query", "sent"]


async def sent(db, ask):
    """The last statement that `ask` sends."""
    with asked(db) as statements:
        await ask(db)
    return statements[-1]


async def advice(db, statement):
    return await db._engine.explained(statement, known_tables())


def indexes(found):
    """The statements that make the indexes of an advice, as a migration would; they are called `made_0` and so on."""
    specs, waiting, number = {known.name: known.spec for known in known_tables().values()}, [], 0
    for parts, name in re.findall(r'"- \{fields: \[(.*?)\]\}"| to the indexes of (\w+)', found):
        if parts:
            waiting.append(tuple(parts.split(", ")))
            continue
        for each in waiting:
            index = Advised(name, each).index(specs[name])
            index["name"] = f"made_{number}"
            number += 1
            yield index["name"], index_sql(specs[name].table_name, index)
        waiting = []


def make_indexes(db, found):
    """Make them, and return their names."""
    made = dict(indexes(found))
    for sql in made.values():
        outside(db, sql)
    return list(made)


def query(entity, filters=None, **options):
    return lambda db: db.query(entity, filters, **options)


RIGHT = {
    "equality": (query("track", {"singer_id": 3}), "singer_id"),
    "two equalities of which one finds few": (query("track", {"singer_id": 3, "rating": 5}), "singer_id"),
    "two equalities that find few together": (query("track", {"shelf": 5, "place": 5}), "shelf, place"),
    "equality and range": (query("track", {"rating": 5, "added": {"gt": 29_000}}), "added|rating, added"),
    "equality, then order": (query("track", {"mood": "mood 1"}, order_by="title", limit=5), "mood, title"),
    "another column of an index": (query("track", {"heard": 77}), "heard"),
    "order against that of an index": (query("track", order_by="year, genre", limit=5), "year, genre"),
    "order": (query("track", order_by="added desc", limit=5), "added desc"),
    "order of two": (query("track", order_by="rating desc, added", limit=5), "rating desc, added"),
    "order of those that are not deleted": (
        query("track", {"gone": None}, order_by="added desc", limit=9),
        "added desc",
    ),
    "letters of either case": (query("track", {"title": {"ieq": "title 7"}}), "lower(title)"),
    "beginning of a text": (query("track", {"title": {"starts_with": "Title 299"}}), "title"),
    "list": (query("track", {"singer_id": {"in": [1, 2, 3]}}), "singer_id"),
    "range that finds few": (query("track", {"added": {"gt": 29_900}}), "added"),
    "count": (lambda db: db.count("track", {"title": "Title 9"}), "title"),
    "exists": (lambda db: db.exists("track", {"title": "none"}), "title"),
    "related rows": (query("singer", {"tracks": {"some": {"rating": 3}}}), "singer_id"),
    "no related rows": (query("track", {"id": {"lt": 20}, "plays": {"none": {}}}), "track_id"),
    "loading related rows": (lambda db: db.related("singer", "1", "tracks"), "singer_id"),
    "query in SQL, column of another name": (lambda db: db.run_query("track", "of_album", {"album": 3}), "album"),
    "update": (lambda db: db.update_where("track", {"title": "none"}, {"rating": 1}), "title"),
    "delete": (lambda db: db.delete_where("track", {"title": "none"}), "title"),
}
SILENT = {
    "key": query("track", {"id": 5}),
    "index that is there": query("track", {"genre": "genre 5", "year": 10}),
    "all rows": query("track"),
    "all rows in an order": query("track", order_by="title"),
    "first rows by key": query("track", order_by="id", limit=5),
    "first rows of all": query("track", limit=5),
    "the first of many that match": query("track", {"shelf": 5}, limit=5),
    "count of all": lambda db: db.count("track"),
    "text within": query("track", {"title": {"contains": "29"}}),
    "end of a text": query("track", {"title": {"ends_with": "29"}}),
    "letters of either case within": query("track", {"title": {"icontains": "x"}}),
    "text within, first in an order": query("track", {"title": {"contains": "nowhere"}}, order_by="added", limit=5),
    "few values": query("track", {"mood": "mood 1"}),
    "all but one": query("track", {"singer_id": {"ne": 3}}),
    "range that finds much": query("track", {"added": {"gt": 10}}),
    "alternatives of which one reads all": query("track", {"or": [{"singer_id": 3}, {"title": {"contains": "z"}}]}),
    "not": query("track", {"not": {"singer_id": 3}}),
    "two columns of a row": query("track", {"added": {"gt": {"field": "heard"}}}),
    "most have none": query("track", {"gone": None}),
    "small table": query("label", {"name": "label 9"}),
    "order of a small table": query("label", order_by="name", limit=5),
}


def lines(text):
    return re.findall(r'"- (\{.*?\})"', text or "")
