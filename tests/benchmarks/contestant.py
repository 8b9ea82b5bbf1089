"""What a contestant may be asked. It defines the methods that its documentation shows a way to; the rest it leaves out."""

from typing import Protocol

from place import Place

__all__ = ["Contestant"]


class Contestant(Protocol):
    """One way to read and write the table, made for a place; on SQLite with WAL and synchronous=FULL, as everybody.

    Beside `open` and `close` it has any of these coroutine methods, each with one argument:

        get(key), get_cached(key)   one row by its key, from the database or from its cache
        get_many(keys)              the rows of these keys
        query(kind)                 the 100 rows of a kind of entity with the highest score, as models
        count(kind)                 how many there are
        page(place)                 the 50 rows after this many, by key
        include(None)               1,000 tracks, each with its artist and its album
        groups(None)                for each kind, how many rows there are and their highest score
        upsert(row)                 change the row with this key, or add it
        save(row)                   add a row; it is durable when the call returns
        update((key, score))        change the score and `updated_at` of a row
        transaction(row)            five statements: save, update, get, update another field, delete
        save_many(rows)             add rows, all or none
    """

    name: str
    errors: tuple[type[Exception], ...]  # what it raises where an operation fails

    def __init__(self, place: Place) -> None: ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...
