"""Merge conflicts in the migrations folder: those that `rebase` mends, and those that only a person can."""

from collections.abc import Iterator, Mapping

from soulspot_db.language.conflicts import conflict_line
from soulspot_db.language.history import SUMS, is_data, text_of

from soulspot_db_codegen.configuration import Configuration
from soulspot_db_codegen.errors import Diagnostic

__all__ = ["conflicts_for_rebase", "conflicts_of_data"]


def conflicts_for_rebase(configuration: Configuration) -> Iterator[Diagnostic]:
    """Those in `migrations.sum` and the snapshot, which are written by us."""
    folder = configuration.root / configuration.migrations
    for path in (folder / SUMS, *sorted((folder / "snapshot").rglob("*.json"))):
        line = conflict_line(text_of(path.read_bytes())) if path.is_file() else None
        if line is not None:
            file = path.relative_to(configuration.root).as_posix()
            hint = (
                "run `soulspot-db rebase`: it writes this file anew, with the revisions and the generated code; where a "
                "branch is merged into what others follow, such as main, run `soulspot-db rebase --onto HEAD`"
            )
            yield Diagnostic(file, line, 1, f"this file has an unresolved merge conflict at line {line}", hint)


def conflicts_of_data(folder: str, ours: Mapping[str, str], commit: str | None) -> Iterator[Diagnostic]:
    """Data revisions of one name that both sides have written: which part is ours, only a person can say.

    Args:
        folder: the migrations folder.
        ours: the revisions that a commit does not have, by their files' names.
        commit: whose revisions stay as they are.
    """
    for name, text in ours.items():
        if is_data(text) and (line := conflict_line(text)) is not None:
            path = f"{folder}/versions/{name}"
            # Git keeps both sides: as 2 what is checked out, as 3 what comes to it.
            mine = 3 if commit == "HEAD" else 2
            hint = (
                f"put yours into a file of another name: `git show :{mine}:./{path} > {folder}/versions/NAME.py`; "
                f"then `git show {commit}:./{path} > {path}` keeps theirs"
            )
            yield Diagnostic(path, line, 1, "both sides have written a data revision of this name", hint)
