"""The differences that are meant, each with its reason, and the page that lists them."""

import re
from collections import defaultdict
from typing import Any

from comparison import Difference


def entry_key(entry: dict[str, Any]) -> tuple[str, str, str, str]:
    kind = next((key for key in ("column", "index", "unique", "check") if key in entry), "table")
    return entry["table"], kind, entry.get(kind, "") if kind != "table" else "", entry["what"]


def explain(difference: Difference, reasons: dict[tuple[str, str, str, str], str]) -> tuple[str, str, str, str] | None:
    """The entry that lists the difference; `*` as the table or the name of an entry stands for any."""
    d = difference
    keys = [(t, d.kind, n, d.what) for t in (d.table, "*") for n in (d.name, "*")]
    return next((key for key in keys if key in reasons), None)


def markdown(found: list[Difference], reasons: dict[tuple[str, str, str, str], str], tables: dict[str, str]) -> str:
    """The tables of differences: the rules that hold everywhere, then every table of version 2."""
    rules = {key: number for number, key in enumerate((k for k in reasons if k[0] == "*"), 1)}
    lines = ["# How the schemas differ from version 2's tables", ""]
    lines += [
        "Every difference between what version 2's models declare and `schemas/`, with its reason. `adopt` has to bring a",
        "database of version 2 from the one to the other; a test keeps this page complete.",
        "",
        "## Everywhere",
        "",
    ]
    lines += ["| Rule | Difference | Columns | Why |", "| --- | --- | --- | --- |"]
    for key, number in rules.items():
        times = sum(explain(d, reasons) == key for d in found)
        lines.append(f"| R{number} | {_cell(key[3])} | {times} | {_cell(reasons[key])} |")
    by_table = defaultdict(list)
    for difference in found:
        by_table[difference.table].append(difference)
    for table in sorted(by_table):
        lines += ["", f"## {table}: {tables.get(table, 'new in version 3')}", ""]
        lines += ["| Where | Difference | Why |", "| --- | --- | --- |"]
        grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
        for d in by_table[table]:
            key = explain(d, reasons)
            why = "**not listed**" if key is None else f"R{rules[key]}" if key in rules else reasons[key]
            where = "the table" if d.kind == "table" else d.name if d.kind == "column" else f"{d.kind} ({d.name})"
            grouped[d.what, why].append(where)
        rows = sorted(grouped.items(), key=lambda row: re.fullmatch(r"R\d+", row[0][1]) is not None)
        lines += [f"| {_cell(', '.join(wheres))} | {_cell(what)} | {_cell(why)} |" for (what, why), wheres in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()
