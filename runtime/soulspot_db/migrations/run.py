"""What a run of revisions is told and remembers: kept in Alembic's config, which is made for each run."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from alembic import context, op
from alembic.config import Config

from soulspot_db.errors import MigrationError

__all__ = ["Progress", "Run", "current_run", "enter", "in_turn", "is_offline"]

_KEY = "soulspot_db_run"

# Alembic keeps the running environment in module globals, so two threads must not migrate at once. It is taken before
# the database's lock: who waits for it must not keep a database that the other goes on with.
in_turn = threading.Lock()

Progress: TypeAlias = Callable[[str, int, int], None]
"""Told what is being done, how many rows of it are done, and how many there are."""


def _silent(_what: str, _done: int, _total: int) -> None:
    pass


@dataclass(slots=True)
class Run:
    """One run of Alembic.

    `allowed` are the revisions that may lose data, `to` is where the caller wants to go, if not to the newest revision,
    `by_alembic` says that the plain `alembic` command began it. `revision` is the one that runs now, `is_data`
    says that it changes rows, `is_up` that it is applied and not undone. `kept` is the newest one that is committed,
    `before` the one that ran before this one and is not committed; `loops` says how many loops over batches the running
    one has begun. `indexes` are those that a rebuilt table
    had before, by name with their SQL. On PostgreSQL `keys` are foreign keys that the running revision still has to add,
    by table and name, and `altered` its tables that took another form. `is_trial`: everything will be undone.
    """

    allowed: frozenset[str] = frozenset()
    report: Callable[[str], None] = print
    progress: Progress = _silent
    to: str | None = None
    by_alembic: bool = False
    revision: str = ""
    is_data: bool = False
    is_up: bool = True
    before: str | None = None
    kept: str | None = None
    loops: int = 0
    in_loop: bool = False
    indexes: dict[str, str] = field(default_factory=dict)
    keys: dict[tuple[str, str], str] = field(default_factory=dict)
    altered: set[str] = field(default_factory=set)
    is_trial: bool = False

    def begin(self, revision: str, *, is_data: bool, is_up: bool) -> None:
        """Remember that another revision runs now, whether it changes rows, and which way it goes."""
        self.before = self.revision if self.revision and self.revision != self.kept else None
        self.revision, self.is_data, self.is_up, self.loops = revision, is_data, is_up, 0
        self.indexes, self.keys, self.altered = {}, {}, set()

    def announce(self, title: str) -> None:
        """Say that the running revision begins."""
        self.report(f"{'' if self.is_up else 'undoing '}{self.revision}  {title}")

    def consent_to(self, revision: str) -> str:
        """What to type to let a revision lose the data that it names."""
        if self.by_alembic:
            return f"write `-x allow_destructive={revision}` after `alembic`"
        return f"soulspot-db migrate --allow-destructive {revision}{f' --to {self.to}' if self.to else ''}"

    @property
    def way_there(self) -> tuple[str, ...]:
        """What to do before the tables are as the running revision has found them: what ran before it is undone again."""
        if self.before is None or not self.is_up:
            return ()
        go = "alembic upgrade" if self.by_alembic else "soulspot-db migrate --to"
        return (f"First bring the tables to where they were looked at: {go} {self.before}",)

    @property
    def is_untouched(self) -> bool:
        """Whether a failure now leaves the database as it was."""
        return not self.loops and self.kept is None

    @property
    def outcome(self) -> str:
        """What a failure of the running revision leaves, in a sentence."""
        if self.loops:
            return f"The batches of revision {self.revision} that were done stay, and the next run goes on after them."
        if self.kept is None:
            return "Nothing was changed."
        return f"The database is at revision {self.kept}; what came before is applied and stays."


def enter(config: Config, run: Run) -> Config:
    """Let the revisions that are run with `config` find `run`."""
    config.attributes[_KEY] = run
    return config


def current_run() -> Run:
    """The run that the calling revision belongs to; one that the plain `alembic` command began is made here.

    Raises:
        MigrationError: an argument after `-x` means nothing here.
    """
    config = context.config
    run: Run | None = config.attributes.get(_KEY)
    if run is None:
        run = Run(frozenset(map(_allowed, context.get_x_argument())), by_alembic=True)
        enter(config, run)
    return run


def _allowed(argument: str) -> str:
    name, _, revision = argument.partition("=")
    if name != "allow_destructive" or not revision:
        raise MigrationError(
            f"-x {argument} means nothing here", "Write -x allow_destructive=REVISION.", operation="migrate"
        )
    return revision


def is_offline() -> bool:
    """Whether SQL is printed instead of being run."""
    return bool(op.get_context().as_sql)
