"""Diagnostics for whoever reads them: a person, a program, GitHub's annotations, a code-scanning service."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from soulspot_db_codegen.errors import Diagnostic

__all__ = ["FORMATS", "report"]

# One rule, because every diagnostic asks for the same: that schemas and files agree with the language and each other.
_RULE = {"id": "schema", "shortDescription": {"text": "Schemas are valid, and what is generated is up to date"}}


def report(diagnostics: Sequence[Diagnostic], form: str) -> str:
    """The diagnostics as text in one of `FORMATS`; ASCII in the forms that programs read, whatever the terminal."""
    return FORMATS[form](diagnostics)


def _text(diagnostics: Sequence[Diagnostic]) -> str:
    return "\n".join(map(str, diagnostics))


def _json(diagnostics: Sequence[Diagnostic]) -> str:
    rows = [
        {"file": item.file, "line": item.line, "column": item.column, "message": item.message, "hint": item.hint}
        for item in diagnostics
    ]
    return json.dumps(rows, indent=2)


def _github(diagnostics: Sequence[Diagnostic]) -> str:
    return "\n".join(
        f"::error file={_escape(item.file, ':,')},line={item.line},col={item.column}::{_escape(_sentence(item))}"
        for item in diagnostics
    )


def _escape(text: str, separators: str = "") -> str:
    # GitHub's "workflow commands" end with their line, their properties at a comma or a colon.
    for char in f"%\r\n{separators}":
        text = text.replace(char, f"%{ord(char):02X}")
    return text


def _sarif(diagnostics: Sequence[Diagnostic]) -> str:
    # SARIF 2.1.0, of which these are the parts that a code-scanning service shows.
    run = {
        "tool": {"driver": {"name": "soulspot-db", "rules": [_RULE]}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(item) for item in diagnostics],
    }
    return json.dumps(
        {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}, indent=2
    )


def _result(item: Diagnostic) -> dict[str, Any]:
    place = {
        # A colon, as in the name of a package's file, would make what stands before it the scheme of a URI.
        "artifactLocation": {"uri": quote(item.file)},
        "region": {"startLine": item.line, "startColumn": item.column},
    }
    return {
        "ruleId": _RULE["id"],
        "level": "error",
        "message": {"text": _sentence(item)},
        "locations": [{"physicalLocation": place}],
    }


def _sentence(item: Diagnostic) -> str:
    return f"{item.message}; {item.hint}" if item.hint else item.message


FORMATS: Mapping[str, Callable[[Sequence[Diagnostic]], str]] = {
    "text": _text,
    "json": _json,
    "github": _github,
    "sarif": _sarif,
}
