"""What the user of a PostgreSQL database may do with its tables."""

from collections.abc import Iterator

from soulspot_db.doctor.case import Case
from soulspot_db.doctor.finding import Finding, must, ok
from soulspot_db.migrations.version import VERSION_TABLE

__all__ = ["rights"]

_ROWS = ("SELECT", "INSERT", "UPDATE", "DELETE")
_KEYS = ("SELECT", "UPDATE")
_MOST = 3  # tables that are told
# Each right that the user lacks. The sequence of an identity needs none.
_LACKING = """
SELECT c.relname::text, r FROM pg_class c, unnest($1::text[]) AS r
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind::text = ANY ($2::text[])
  AND NOT (CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, r) ELSE has_table_privilege(c.oid, r) END)
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'i' AND c.relkind = 'S')
ORDER BY c.relname, array_position($1::text[], r)
"""


def rights(case: Case) -> Iterator[Finding]:
    """Whether it may do what a program does: rows, the sequences that give keys, and the version."""
    user, schema = case.ask("SELECT quote_ident(current_user), quote_ident(current_schema())")[0]
    if schema is None:
        yield must(
            f"the user {user} may use no schema, so that it sees no table",
            f"Have the owner say: GRANT USAGE ON SCHEMA public TO {user};",
        )
        return
    tables = {name: lacks for name, lacks in _lacking(case, _ROWS, ("r", "p")).items() if name in case.found}
    if VERSION_TABLE in case.tables and not case.ask("SELECT has_table_privilege($1, 'SELECT')", VERSION_TABLE)[0][0]:
        tables[VERSION_TABLE] = "SELECT"
    found = [
        _refused(user, tables, f"GRANT {', '.join(_ROWS)} ON ALL TABLES IN SCHEMA {schema} TO {user};"),
        _refused(
            user,
            _lacking(case, _KEYS, ("S",)),
            f"GRANT {', '.join(_KEYS)} ON ALL SEQUENCES IN SCHEMA {schema} TO {user};",
        ),
    ]
    yield from [each for each in found if each is not None] or [ok(f"{user} may read and write")]


def _lacking(case: Case, wanted: tuple[str, ...], kinds: tuple[str, ...]) -> dict[str, str]:
    """What the user may not, by the name of the table or sequence."""
    lacking: dict[str, list[str]] = {}
    for name, right in case.ask(_LACKING, list(wanted), list(kinds)):
        lacking.setdefault(name, []).append(right)
    return {name: ", ".join(rights) for name, rights in lacking.items()}


def _refused(user: str, lacking: dict[str, str], grant: str) -> Finding | None:
    if not lacking:
        return None
    first = [f"{what} on {name}" for name, what in list(lacking.items())[:_MOST]]
    more = f", and so on for {len(lacking) - _MOST} more" if len(lacking) > _MOST else ""
    return must(
        f"the user {user} may not {'; '.join(first)}{more}",
        f"Have the owner say: {grant}",
        "See the rights in https://docs.soulspot.app/configuration, also for the tables of later revisions.",
    )
