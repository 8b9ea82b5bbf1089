"""An edit of a schema with rows, from one end to the other, whichever the database."""

import pytest
from edit_state import Made, State, columns_of, violations
from evolutions import Home, text_of
from soulspot_db import MigrationError

__all__ = ["run"]


def insert(home: Home, state: State) -> None:
    for name, table, columns in columns_of(state):
        for row in state.rows[name]:
            home.insert(table, {column: row[at] for at, column in columns.items()})


def require_rows(home: Home, state: State) -> None:
    for name, table, columns in columns_of(state):
        made = [
            (at, column) for at, column in columns.items() if any(isinstance(r[at], Made) for r in state.rows[name])
        ]
        found = home.rows(table)
        assert all(set(row) == set(columns.values()) for row in found)
        for at, column in made:
            values = [row.pop(column) for row in found]
            assert all(state.rows[name][0][at].fits(value) for value in values)
        plain = [at for at in columns if at not in dict(made)]
        wanted = [{columns[at]: row[at] for at in plain} for row in state.rows[name]]
        assert sorted(map(typed, found)) == sorted(map(typed, wanted)), table


def typed(row: dict) -> str:
    return repr(sorted((column, type(value).__name__, value) for column, value in row.items()))


def run(before: State, after: State, home: Home) -> None:
    """Go from one to the other, and back where there is a way back."""
    home.generate(before.files())
    home.migrate()
    insert(home, before)
    at_first = (home.dump(), home.structure())
    parent = home.versions
    home.write(after.files())
    plan, again = home.plan(), home.plan()
    assert plan.changes == again.changes
    home.generate()
    assert home.plan().changes == []
    if plan.revision is None:
        assert home.versions == parent
        assert not violations(after)
        require_rows(home, after)
        return
    if after.refused or violations(after):
        with pytest.raises(MigrationError, match=r"cannot be applied: there (is|are)"):
            home.migrate(allow=[plan.revision.id])
        assert (home.dump(), home.structure()) == at_first
        return
    if after.lost:
        with pytest.raises(MigrationError, match="would be lost"):
            home.migrate()
        assert (home.dump(), home.structure()) == at_first
    home.migrate(allow=[plan.revision.id] if after.lost else [])
    home.require_sound()
    require_rows(home, after)
    archives = {table[:-9]: len(home.rows(table)) for table in home.tables() if table.startswith("archived_")}
    assert archives == after.kept
    if "refuse_to_go_back" not in text_of(home.newest):
        home.migrate(to=str(plan.revision.parent))
        assert home.structure() == at_first[1]
        require_rows(home, before)
        home.migrate()
        home.require_sound()
        require_rows(home, after)
