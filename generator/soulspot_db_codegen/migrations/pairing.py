"""Which tables and columns of two snapshots are the same under another name, as far as the schemas say so."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from soulspot_db_codegen.migrations.hints import Hints
from soulspot_db_codegen.migrations.snapshot import Snapshot, applied

__all__ = ["Pairing", "Problem", "pair"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a change cannot be migrated as it stands: of which entity and column, and the ways out."""

    path: str
    column: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """`former`: new paths to old ones. `columns`: by new path, the columns that were renamed, new to old names."""

    former: Mapping[str, str]
    columns: Mapping[str, Mapping[str, str]]


def pair(before: Snapshot, after: Snapshot, hints: Hints) -> tuple[Pairing, list[Problem]]:
    """Pair what belongs together. A rename counts once, because its hint may stay in the schema."""
    pairer = _Pairer(before, after, hints)
    former = dict(pairer.entities())
    columns = {new: dict(pairer.columns(new, old)) for new, old in sorted(former.items())}
    return Pairing(former, columns), pairer.problems


class _Pairer:
    def __init__(self, before: Snapshot, after: Snapshot, hints: Hints) -> None:
        self._before = before
        self._after = after
        self._hints = hints
        self.problems: list[Problem] = []

    def entities(self) -> Iterator[tuple[str, str]]:
        """Every entity that was there before, and where: first by hints, then by name, then by table."""
        former = dict(self._renamed())
        taken = set(former.values())
        former |= {path: path for path in self._after if path in self._before and path not in {*former, *taken}}
        left = sorted(self._before.keys() - former.values() - self._hints.removed.keys())
        by_table = {self._before[path]["table"]: path for path in left}
        for path in sorted(self._after.keys() - former.keys()):
            if self._after[path]["table"] in by_table:  # in another module, or called otherwise than its table
                former[path] = by_table.pop(self._after[path]["table"])
        new = sorted(self._after.keys() - former.keys())
        self.problems.extend(_unburied(path, new) for path in by_table.values())
        yield from former.items()

    def _renamed(self) -> Iterator[tuple[str, str]]:
        taken: dict[str, str] = {}
        for path in sorted(self._after):
            name = self._hints.of(path).former_entity
            if name is None or not self._before or self._has_counted(path, name):
                continue
            old = next((place for place in self._before if place.partition("/")[2] == name), None)
            if old is None:
                if path not in self._before:
                    self._refuse(path, "", f"there was no entity {name!r}", "correct or remove 'renamed_from'")
            elif old in self._after and self._hints.of(old).former_entity is None:
                self._refuse(path, "", f"the entity {name!r} is still there", "remove its file, or 'renamed_from' here")
            elif old in taken:
                self._refuse(path, "", f"{name!r} was renamed to {taken[old]!r} already", "remove one of the two")
            else:
                taken[old] = path.partition("/")[2]
                yield path, old

    def _has_counted(self, path: str, former: str) -> bool:
        """Whether an entity got its name from `former` before, perhaps in another module."""
        own = path.partition("/")[2]
        places = [place for place in self._before if place.partition("/")[2] == own]
        # What takes its own name along into another module says it anew for each move.
        return any(
            applied(self._before, place).get("entity") == former for place in places if path == place or own != former
        )

    def columns(self, path: str, old: str) -> Iterator[tuple[str, str]]:
        """The columns of one entity that were renamed."""
        was = {column["name"] for column in self._before[old]["columns"]}
        is_now = {column["name"] for column in self._after[path]["columns"]}
        done = applied(self._before, old).get("columns", {})
        given = {name: source for name, source in self._hints.of(path).former.items() if done.get(name) != source}
        for name, source in given.items():
            if source not in was:
                if name not in was:
                    message = f"there was no column {source!r} in {self._before[old]['table']!r}"
                    self._refuse(path, name, message, "correct or remove 'renamed_from'")
            elif name in was and name not in given.values():
                message = f"there was a column {name!r} already, and nothing says what becomes of it"
                self._refuse(path, name, message, "rename or remove that one in a revision before this one")
            elif source in is_now and source not in given:
                self._refuse(
                    path,
                    name,
                    f"the column {source!r} is still there",
                    "remove the field that has it, or 'renamed_from' here",
                )
            elif source != name:
                yield name, source

    def _refuse(self, path: str, column: str, message: str, hint: str) -> None:
        self.problems.append(Problem(path, column, message, hint))


def _unburied(path: str, added: list[str]) -> Problem:
    module, _, name = path.partition("/")
    bury = f"removed: {{{name}: {{data: discard, reason: ...}}}}"
    hint = f"if its rows may go, write '{bury}' in {module}/_module.yaml"
    if added:
        hint = f"if it has another name now, write 'renamed_from: {name}' there ({', '.join(added)}?); {hint}"
    return Problem(path, "", f"the entity {name!r} is gone", hint)
