"""Another primary key: what was stored in terms of the old one must not be taken for the new one."""

from collections.abc import Iterator, Sequence

from soulspot_db.language.table import TableSpec

from soulspot_db_codegen.migrations.columns import Source, Unclear

__all__ = ["row_keys", "strayed_references", "unkeyed_archives"]


def strayed_references(base: TableSpec, after: TableSpec) -> Iterator[Unclear]:
    """References whose rows hold values of what was the key of the other table.

    Args:
        base: the table as it is, under new names; so is what it refers to.
        after: the table as it is to be.
    """
    old = {(key["column"], key["table"]): key["target"] for key in base["foreign_keys"]}
    for key in after["foreign_keys"]:
        column, table = key["column"], key["table"]
        target = old.get((column, table), key["target"])
        if target != key["target"]:
            yield Unclear(
                column,
                f"{column!r} holds values of {target!r}, and the key of {table!r} is {key['target']!r} now",
                "keep the old key until a new field, beside this one and without 'references', has been filled by a data "
                "revision; then that field gets 'references', and this one goes with the old key "
                '(docs/migrations.md, "Another primary key")',
            )


def row_keys(before: TableSpec, after: TableSpec, columns: Sequence[Source]) -> list[str]:
    """The columns that say of a row which it is, by today's names: of the key that it has, and of the one that it gets."""
    former = [source.former["name"] for source in _of_key(after, columns) if source.former is not None]
    return list(dict.fromkeys([*before["primary_key"], *former]))


def unkeyed_archives(
    before: TableSpec, after: TableSpec, columns: Sequence[Source], dropped: Sequence[str], archived: Sequence[str]
) -> Iterator[Unclear]:
    """Archives that nobody could bring together with the rows that they are of: no key is there before and after."""
    if set(before["primary_key"]) & set(dropped) and any(source.former is None for source in _of_key(after, columns)):
        for name in archived:
            message = f"nothing would say to which rows the archived {name!r} of {before['table']!r} belongs"
            yield Unclear("", message, "first add the new key as a field, and generate; then make it the key")


def _of_key(after: TableSpec, columns: Sequence[Source]) -> list[Source]:
    return [source for source in columns if source.column["name"] in after["primary_key"]]
