"""The command line that a user types, run as a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console

__all__ = ["generate", "migrate"]

_PROJECT = Path(__file__).parents[3]


def generate(console: Console) -> None:
    """`soulspot-db generate`: in a tree that is committed as it should be, it has nothing to do."""
    console.print("[bold]$ soulspot-db generate")
    _run(console, ["generate"], {})


def migrate(console: Console, path: Path) -> None:
    """`soulspot-db migrate`: makes the database, and all of its tables."""
    console.print(f"[bold]$ DATABASE={path.name} soulspot-db migrate")
    # All three, because each alone would give way to what the environment or a .env here says of the others, and
    # that may be a database that somebody uses.
    _run(console, ["migrate"], {"DATABASE": str(path), "DATABASE_PATH": str(path), "DATABASE_TYPE": "sqlite"})


def _run(console: Console, arguments: list[str], environment: dict[str, str]) -> None:
    # The one beside this Python, also where the virtual environment is not activated.
    program = shutil.which("soulspot-db", path=Path(sys.executable).parent) or "soulspot-db"
    finished = subprocess.run(
        [program, *arguments],
        cwd=_PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    console.print(finished.stdout, markup=False, highlight=False)
    if finished.returncode:
        raise SystemExit(finished.returncode)
