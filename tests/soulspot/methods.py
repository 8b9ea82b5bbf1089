"""What replaces each data-access method of version 2, and the page that says so."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from soulspot_db import DatabaseService
from soulspot_db_entities import Repositories

__all__ = ["KINDS", "NAMED", "OLD", "faults", "markdown", "methods_of"]

HERE = Path(__file__).parent
KINDS = {
    "schema": "a method that every repository has",
    "query": "a query that `schemas/` declares, as a method of the repository",
    "sql": "a query in SQL that `schemas/` declares",
    "python": "a few lines of Python over such methods, in a transaction where there are several writes",
}

_WORDS = {
    "anti": "anti-join",
    "bool": "says whether a row changed",
    "ci": "without case",
    "cnt": "says how many rows changed",
    "colcol": "columns compared or computed",
    "corr": "correlated",
    "eager": "with related rows",
    "exists": "EXISTS",
    "guard": "refused while referenced",
    "in": "IN",
    "join": "join",
    "json": "JSON contains",
    "ne": "not equal",
    "now": "current time",
    "null": "null",
    "nulls": "nulls first or last",
    "nullsafe": "null equals null",
    "of": "offset",
    "ol": "limit",
    "opt": "optional parameter",
    "optset": "sets what is given",
    "or": "OR",
    "post": "filtered after the limit",
    "proj": "projection",
    "range": "range",
    "switch": "one of several conditions",
    "via": "by a key of the parent",
    "virt": "by an id made from a column",
    "vmap": "values translated",
}
"""What the third column of the list says, in words."""

with (HERE / "version_2_methods.tsv").open(encoding="utf-8", newline="") as _file:
    OLD: dict[str, dict[str, str]] = {row["method"]: row for row in csv.DictReader(_file, delimiter="\t")}
NAMED: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "methods.yaml").read_text("utf-8"))


def methods_of(entry: Mapping[str, Any]) -> list[str]:
    """The methods that take its place, each as `module.entity.method`."""
    found = entry.get("with", [])
    return [found] if isinstance(found, str) else list(found)


def faults(old: Mapping[str, Any], named: Mapping[str, Mapping[str, Any]], db: DatabaseService) -> Iterator[str]:
    """What is wrong with the map."""
    yield from (f"{name}: nothing replaces it" for name in old if name not in named)
    yield from (f"{name}: version 2 has no such method" for name in named if name not in old)
    repositories = Repositories(db)
    for name, entry in named.items():
        if unknown := sorted(entry.keys() - {"by", "with", "note"}):
            yield f"{name}: unknown {', '.join(unknown)}"
        if entry.get("by") not in KINDS:
            yield f"{name}: by {entry.get('by')}"
            continue
        if not methods_of(entry):
            yield f"{name}: does not say which method"
        for position, method in enumerate(methods_of(entry)):
            if (kind := _kind(method, repositories)) is None:
                yield f"{name}: there is no {method}"
            elif position == 0 and entry["by"] in _QUERIES and kind != entry["by"]:
                yield f"{name}: {method} is {_QUERIES[kind]} of the schema"


_QUERIES = {"schema": "no query", "query": "a query", "sql": "a query in SQL"}


def _kind(method: str, repositories: Repositories) -> str | None:
    """Whether the schema declares it as a query, and how; None where the repository has no such method."""
    module, entity, name = method.split(".")
    repository = getattr(getattr(repositories, module, None), entity, None)
    if repository is None or name.startswith("_") or name not in vars(type(repository)):
        return None
    query = repository.schema.queries.get(name)
    return "schema" if query is None else "sql" if "sql" in query else "query"


def markdown(old: Mapping[str, Mapping[str, str]], named: Mapping[str, Mapping[str, Any]]) -> str:
    """The page: how many there are of each kind, then every method of version 2."""
    kinds = Counter(entry["by"] for entry in named.values())
    lines = ["# What replaces version 2's data access", ""]
    lines += [
        f"Version 2 has {len(old)} methods of data access written by hand, in {len({_class(name) for name in old})} classes.",
        "A test keeps this page complete: it fails where one is missing, or where a method that is named here does not exist.",
        "",
        "| By | Methods | What it is |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {kind} | {kinds[kind]} | {meaning} |" for kind, meaning in KINDS.items()]
    lines += [
        "",
        "`spotify.playlist.count` is `await repos.spotify.playlist.count(...)`. Where version 2 loaded a row that another row",
        "refers to along with it, that is `include` or a loader: one statement for all rows.",
    ]
    current = ""
    for name, row in old.items():
        if _class(name) != current:
            current = _class(name)
            lines += [
                "",
                f"## {current}",
                "",
                "| Method | What it does | By | Replaced by | |",
                "| --- | --- | --- | --- | --- |",
            ]
        lines.append(_row(name, row, named[name]))
    return "\n".join(lines)


def _row(name: str, row: Mapping[str, str], entry: Mapping[str, Any]) -> str:
    special = ", ".join(_WORDS[word] for word in row["needs"].split(",") if word)
    does = row["capability"] + (f" ({special})" if special else "")
    cells = [f"`{name.partition('.')[2]}`", does, entry["by"], ", ".join(f"`{m}`" for m in methods_of(entry))]
    return f"| {' | '.join([*cells, entry.get('note', '')])} |"


def _class(name: str) -> str:
    return name.partition(".")[0]
