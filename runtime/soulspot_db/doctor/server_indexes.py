"""What a PostgreSQL server knows of its indexes: which are not whole, and which nobody uses."""

from collections.abc import Iterator

from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, must, note, ok
from soulspot_db.language.conditions import quoted

__all__ = ["invalid", "unused"]

_MANY = 10_000  # rows; below, an index costs next to nothing
# One that is being made at this moment is not whole either.
_INVALID = """
SELECT c.relname::text, i.indrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT 1 FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)
ORDER BY 1
"""
_UNUSED = """
SELECT s.relname::text, s.indexrelname::text, pg_relation_size(s.indexrelid),
       coalesce((SELECT to_char(stats_reset, 'YYYY-MM-DD') FROM pg_stat_database WHERE datname = current_database()), '')
FROM pg_stat_user_indexes s JOIN pg_index i ON i.indexrelid = s.indexrelid
JOIN pg_stat_user_tables t ON t.relid = s.relid
WHERE s.idx_scan = 0 AND NOT i.indisunique AND i.indisvalid AND t.n_live_tup > $1 AND s.schemaname = current_schema()
ORDER BY 1, 2
"""


def invalid(case: Case) -> Iterator[Finding]:
    """Indexes whose making was stopped: they cost with every write, and nothing is found by them."""
    found = case.ask(_INVALID)
    for index, table in found:
        yield must(
            f"the index {index} of {table} is invalid: its making was stopped or has failed",
            f"soulspot-db migrate, or if it stays: DROP INDEX {quoted(index)}",
            "`soulspot-db check --database` says how to make it anew.",
        )
    if not found:
        yield ok("all are whole")


def unused(case: Case) -> Iterator[Finding]:
    """Indexes of large tables by which nothing was looked up since the server counts."""
    found = case.ask(_UNUSED, _MANY)
    for table, index, size, since in found:
        yield note(
            f"nothing was looked up by the index {index} of {table} ({size / 1e6:,.1f} MB)"
            + (f" since {since}" if since else ", as far as the server has counted"),
            "If that was long enough, have the author of the schema take it out; standbys count for themselves.",
        )
    if not found:
        yield ok(f"none, of tables with more than {_MANY:,} rows")
