"""What the tests of schema edits share: a project on disk, its database, and what is in both."""

import asyncio
import fnmatch
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from projects import Outcome, tree, write_project, write_schema
from soulspot_db import DatabaseSettings
from soulspot_db.language.conditions import quoted
from soulspot_db.migrations.connection import reading
from soulspot_db.migrations.live import expected_structure, read_structure
from soulspot_db.migrations.runner import migrate
from soulspot_db.migrations.structure import Structure
from soulspot_db_codegen.commands.generate import generate
from soulspot_db_codegen.commands.new import new
from soulspot_db_codegen.commands.rebase import rebase
from soulspot_db_codegen.configuration import load_configuration
from soulspot_db_codegen.errors import SchemaError
from soulspot_db_codegen.generate import ProjectPlan, plan_project
from soulspot_db_codegen.writer import apply

__all__ = ["Home", "as_yaml", "text_of"]


def as_yaml(document: Mapping[str, Any]) -> str:
    """A document as a schema file says it; JSON is YAML."""
    return json.dumps(document, ensure_ascii=False)


def text_of(path: Path) -> str:
    return path.read_text("utf-8")


class Home:
    """A project and a database of it."""

    def __init__(self, root: Path, database: Path | None = None) -> None:
        self.root = root
        self.migrations = root / "migrations"
        self.settings = DatabaseSettings(
            database_path=database or root / "home.db", synchronous="NORMAL", _env_file=None
        )

    # What the schemas say.

    def write(self, schemas: Mapping[str, str | Mapping[str, Any]]) -> None:
        """These schema files and no others."""
        shutil.rmtree(self.root / "schemas", ignore_errors=True)
        write_project(self.root, {})
        for name, content in schemas.items():
            write_schema(self.root, name, content if isinstance(content, str) else as_yaml(content))

    def plan(self) -> ProjectPlan:
        return plan_project(load_configuration(self.root))

    def generate(self, schemas: Mapping[str, str | Mapping[str, Any]] | None = None) -> ProjectPlan:
        """Write the schemas, if given, and everything that is made of them."""
        if schemas is not None:
            self.write(schemas)
        plan = self.plan()
        apply(self.root, plan.changes)
        return plan

    def operations(self, schemas: Mapping[str, str | Mapping[str, Any]]) -> list[str]:
        """What the revision does that leads to these schemas, in words; nothing where there is none."""
        revision = self.generate(schemas).revision
        return [] if revision is None else list(revision.operations)

    def complaint(self, schemas: Mapping[str, str | Mapping[str, Any]]) -> str:
        """What is said against these schemas; nothing is written."""
        self.write(schemas)
        before = tree(self.root)
        try:
            self.plan()
        except SchemaError as error:
            assert tree(self.root) == before
            return str(error)
        return ""

    @property
    def versions(self) -> list[str]:
        return sorted(path.name for path in (self.migrations / "versions").glob("*.py"))

    @property
    def newest(self) -> Path:
        return self.migrations / "versions" / self.versions[-1]

    # The commands.

    def run(self, command: Any, *arguments: str) -> Outcome:
        result = CliRunner().invoke(command, ["--project", str(self.root), *arguments], catch_exceptions=False)
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def command(self, *arguments: str) -> Outcome:
        return self.run(generate, *arguments)

    def rebase(self, *arguments: str) -> Outcome:
        return self.run(rebase, *arguments)

    def data_revision(self, name: str, *, written: bool = True) -> Outcome:
        """A new data revision. Where it is written, its example does what it does, and is recorded."""
        result = CliRunner().invoke(
            new, ["revision", "--data", name, "--project", str(self.root)], catch_exceptions=False
        )
        if written and result.exit_code == 0:
            lines = text_of(self.newest).splitlines(keepends=True)
            self.newest.write_text("".join(line for line in lines if "NotImplementedError" not in line), "utf-8")
            assert self.command().code == 0
        return Outcome(result.exit_code, result.stdout, result.stderr)

    def git(self, *arguments: str, check: bool = True) -> str:
        environment = {
            **os.environ,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_EDITOR": "true",
            **{f"GIT_{who}_{what}": "ada" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def commit(self, message: str = "Work") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    # The database.

    def migrate(self, *, to: str | None = None, allow: list[str] | tuple[str, ...] = ()) -> None:
        asyncio.run(migrate(self.settings, self.migrations, to=to, allow_destructive=allow, backup=False))

    def sql(self, *statements: str | tuple[str, Any]) -> list[tuple[Any, ...]]:
        """Run statements as somebody with a shell would."""
        found: list[tuple[Any, ...]] = []
        with closing(sqlite3.connect(self.settings.database_path, isolation_level=None)) as connection:
            for statement in statements:
                found = connection.execute(*([statement] if isinstance(statement, str) else statement)).fetchall()
        return found

    def insert(self, table: str, row: Mapping[str, Any]) -> None:
        """Store a row, whose values are as SQLite stores them."""
        listed, marks = ", ".join(map(quoted, row)), ", ".join("?" * len(row))
        self.sql((f"INSERT INTO {quoted(table)} ({listed}) VALUES ({marks})", list(row.values())))

    def rows(self, table: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self.settings.database_path)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f"SELECT * FROM {quoted(table)}")]

    def tables(self) -> list[str]:
        found = self.sql(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        )
        return sorted(name for (name,) in found)

    def table(self, pattern: str) -> str:
        """The one table whose name matches: those of archives end as nobody can foretell."""
        (found,) = fnmatch.filter(self.tables(), pattern)
        return found

    def dump(self) -> list[str]:
        """Everything that is in the database."""
        with closing(sqlite3.connect(self.settings.database_path)) as connection:
            return list(connection.iterdump())

    def structure(self) -> Structure:
        with reading(self.settings) as connection:
            return read_structure(connection)

    def expected_structure(self) -> Structure:
        """That of a fresh database."""
        return expected_structure(self.migrations / "snapshot")

    def require_sound(self) -> None:
        """The database is whole, is what the schemas say, and nothing is left to be generated."""
        assert self.sql("PRAGMA integrity_check") == [("ok",)]
        assert self.sql("PRAGMA foreign_key_check") == []
        assert self.structure() == self.expected_structure()
        assert self.plan().changes == []
