"""SQL written by hand, for the peers that are drivers."""

from collections.abc import Callable

from data import COLUMNS, TABLE

__all__ = ["Statements"]


class Statements:
    """What a driver is told; `mark(n)` is how it writes the n-th value, from 1 on."""

    def __init__(self, mark: Callable[[int], str]) -> None:
        names = ", ".join(COLUMNS)
        self.get = f"SELECT {names} FROM {TABLE} WHERE id = {mark(1)}"
        where = f"FROM {TABLE} WHERE entity_type = {mark(1)}"
        self.query = f"SELECT {names} {where} ORDER BY confidence_score DESC LIMIT 100"
        self.count = f"SELECT count(*) {where}"
        self.page = f"SELECT {names} FROM {TABLE} WHERE id > {mark(1)} ORDER BY id LIMIT 50"
        self.groups = f"SELECT entity_type, count(*), max(confidence_score) FROM {TABLE} GROUP BY entity_type"
        values = ", ".join(mark(n) for n in range(1, len(COLUMNS) + 1))
        self.save = f"INSERT INTO {TABLE} ({names}) VALUES ({values})"
        given = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
        self.upsert = f"{self.save} ON CONFLICT (id) DO UPDATE SET {given}"
        self.update = f"UPDATE {TABLE} SET confidence_score = {mark(1)}, updated_at = {mark(2)} WHERE id = {mark(3)}"
        self.select = f"UPDATE {TABLE} SET is_selected = {mark(1)}, updated_at = {mark(2)} WHERE id = {mark(3)}"
        self.delete = f"DELETE FROM {TABLE} WHERE id = {mark(1)}"

    @staticmethod
    def get_many(marks: str) -> str:
        """The rows of several keys."""
        return f"SELECT {', '.join(COLUMNS)} FROM {TABLE} WHERE id {marks}"


QUESTIONS = Statements(lambda _n: "?")
NUMBERS = Statements(lambda n: f"${n}")
