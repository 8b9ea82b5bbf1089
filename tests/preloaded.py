"""Libraries that are loaded before all others, so that a program sees another disk or another clock than the real one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["environment", "lacking"]


def lacking() -> str | None:
    """Why there can be none on this machine, or None."""
    if not sys.platform.startswith("linux"):
        return "libraries are preloaded on Linux only"
    if shutil.which("cc") is None:
        return "there is no C compiler `cc`, which makes the library that is preloaded"
    return None


def environment(source: Path, folder: Path) -> Mapping[str, str]:
    """The environment of a process into which the library of `source`, a C file, is loaded; it is made in `folder`."""
    library = folder / f"{source.stem}.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return {**os.environ, "LD_PRELOAD": str(library)}
