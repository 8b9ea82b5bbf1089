"""A new data revision: a file to fill in, and its place in the line."""

import keyword
import re

from soulspot_db.language.history import SUMS, dump_sums, sums_of
from soulspot_db.language.table import TableSpec

from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.errors import ConfigurationError, SchemaError
from soulspot_db_codegen.migrations.planner import read_past
from soulspot_db_codegen.migrations.rebase import rechained
from soulspot_db_codegen.render import render
from soulspot_db_codegen.writer import Change, compare

__all__ = ["plan_data_revision"]


def plan_data_revision(configuration: Configuration, name: str) -> list[Change]:
    """The files of a new data revision: itself, and `migrations.sum` with it.

    Args:
        configuration: the project.
        name: what it does, in lower-case words joined by underscores.

    Raises:
        ConfigurationError: the name cannot be used, or there are no tables yet.
        SchemaError: the revisions so far have problems.
    """
    if re.fullmatch(r"[a-z][a-z0-9_]{0,59}", name) is None:
        raise ConfigurationError(f"a revision cannot be named {name!r}: use lower-case letters, digits and underscores")
    past, problems = read_past(configuration)
    if problems:
        raise SchemaError(problems)
    history = past.history
    if history.head is None or history.schema is None:
        raise ConfigurationError("there are no tables yet; run `soulspot-db generate` first")
    tables = sorted(past.snapshot.values(), key=lambda table: table["table"])
    text = render("data_revision.py", name=name.replace("_", " "), table=tables[0], column=_example(tables[0]))
    _, text = rechained(text, history.head, history.schema)
    files = {**history.files, f"{len(history.files) + 1:04}_{name}.py": text}
    folder = configuration.migrations
    written = {f"{folder}/versions/{path}": content for path, content in files.items()}
    return compare(configuration.root, {**written, f"{folder}/{SUMS}": dump_sums(sums_of(files))}, ())


def _example(table: TableSpec) -> str:
    """The column that the example gives a value: one that is not of the key, if there is one that `row.` can name."""
    names = (column["name"] for column in table["columns"])
    plain = (name for name in names if name not in table["primary_key"] and not keyword.iskeyword(name))
    return next(plain, table["primary_key"][0])
