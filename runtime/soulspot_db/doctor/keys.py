"""The keys of encrypted fields."""

import json
from collections.abc import Iterator

from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, note, ok
from soulspot_db.encryption import Cipher

__all__ = ["encryption"]


def encryption(case: Case) -> Iterator[Finding]:
    """Whether there is a key where a table has encrypted columns."""
    if case.migrations is None:
        yield note(
            "no migrations were found, so nobody can say whether keys are needed",
            "Call it in the project, or name --migrations.",
        )
        return
    snapshots = [json.loads(path.read_bytes()) for path in sorted((case.migrations / "snapshot").rglob("*.json"))]
    encrypted = [
        table["table"] for table in snapshots if any(column["type"].get("encrypted") for column in table["columns"])
    ]
    if encrypted:
        Cipher(case.settings.encryption_keys).require(encrypted[0])
    yield ok(f"there are keys for {len(encrypted)} tables" if encrypted else "no field is encrypted")
