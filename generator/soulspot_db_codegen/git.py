"""What git has: the files of a folder at a commit. Only reading, by git's own command."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from soulspot_db_codegen.errors import ConfigurationError

__all__ = ["files_at", "head_commit", "head_is_beyond", "others_commit"]


def files_at(root: Path, commit: str, folder: str) -> Mapping[str, bytes]:
    """The files that a folder had at a commit, by their path in it; none where there was no such folder.

    Args:
        root: the project.
        commit: anything that git takes for one.
        folder: relative to the project.

    Raises:
        ConfigurationError: there is no git, no repository or no such commit.
    """
    if _git(root, "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}") is None:
        raise ConfigurationError(f"git knows no commit {commit!r}")
    listed = _git(root, "ls-tree", "-r", "-z", commit, "--", f"{folder}/") or b""
    blobs: dict[str, bytes] = {}
    for entry in filter(None, listed.split(b"\0")):
        about, path = entry.split(b"\t", 1)
        if about.split()[1] == b"blob":
            blobs[path.decode().removeprefix(f"{folder}/")] = about.split()[2]
    printed = _git(root, "cat-file", "--batch", given=b"".join(blob + b"\n" for blob in blobs.values())) or b""
    return dict(zip(blobs, _contents(printed), strict=True))


def _contents(printed: bytes) -> Iterator[bytes]:
    """The contents in what `git cat-file --batch` prints: each after a line that ends in its length, and before a line end."""
    while printed:
        about, _, rest = printed.partition(b"\n")
        length = int(about.split()[-1])
        yield rest[:length]
        printed = rest[length + 1 :]


def head_commit(root: Path) -> str | None:
    """The commit that we work on; None before the first.

    Raises:
        ConfigurationError: there is no git or no repository.
    """
    return None if _git(root, "rev-parse", "--verify", "--quiet", "HEAD^{commit}") is None else "HEAD"


def others_commit(root: Path) -> str:
    """The commit of the others, in a merge or a rebase that is under way or has just been committed.

    Raises:
        ConfigurationError: there is no git or no repository, or nothing was merged.
    """
    commit = _under_way(root)
    if commit is None and _git(root, "rev-parse", "--verify", "--quiet", "HEAD^2") is not None:
        commit = "HEAD^2"
    if commit is None:
        raise ConfigurationError(
            "nothing was merged; say whose revisions stay as they are: --onto main, or --onto HEAD after a `git stash pop`"
        )
    return commit


def head_is_beyond(root: Path, commit: str) -> bool:
    """Whether HEAD follows a commit, and nothing is being merged or rebased.

    Raises:
        ConfigurationError: there is no git or no repository.
    """
    both = (_git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") for name in (commit, "HEAD"))
    return (
        len(set(both)) == 2
        and _git(root, "merge-base", "--is-ancestor", commit, "HEAD") is not None
        and _under_way(root) is None
    )


def _under_way(root: Path) -> str | None:
    """Whose revisions stay in what git is in the middle of: of a merge, what is merged; else what we are put on top of."""
    if _git(root, "rev-parse", "--verify", "--quiet", "MERGE_HEAD") is not None:
        return "MERGE_HEAD"
    for name in ("rebase-merge", "rebase-apply", "CHERRY_PICK_HEAD"):
        path = _git(root, "rev-parse", "--git-path", name)
        if path is not None and (root / path.decode().strip()).exists():
            return "HEAD"
    return None


def _git(root: Path, *arguments: str, given: bytes = b"") -> bytes | None:
    """What git prints, None where it fails."""
    program = shutil.which("git")
    if program is None:
        raise ConfigurationError("git is not installed, and what it has must be looked at")
    english = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(  # noqa: S603 - the arguments are ours
        [program, *arguments], cwd=root, env=english, input=given, capture_output=True, check=False
    )
    if done.returncode != 0 and b"not a git repository" in done.stderr:
        raise ConfigurationError(
            f"{root} is in no git repository, so nothing says whether others have the newest revision already; "
            "run 'git init', or 'soulspot-db generate' without --amend"
        )
    return done.stdout if done.returncode == 0 else None
