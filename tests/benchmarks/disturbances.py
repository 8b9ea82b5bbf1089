"""What makes it hard for an event loop to read rows from a file: other processes, and a slow disk."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import slow_disk
from data import TABLE

__all__ = ["CASES", "slow"]

COMMITS = f"""
import os, sqlite3, sys
os.nice(19)
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
while True:
    connection.execute("UPDATE {TABLE} SET is_rejected = 1 - is_rejected WHERE rowid = 1")
"""
CHECKPOINTS = """
import os, sqlite3, sys
os.nice(19)
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("PRAGMA wal_autocheckpoint = 0")
connection.execute("CREATE TABLE IF NOT EXISTS filling (bytes)")
while True:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO filling VALUES (zeroblob(?))", [[1_000_000]] * 20)
    connection.execute("DELETE FROM filling")
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint")
"""


@contextmanager
def another_process(script: str, path: Path) -> Iterator[None]:
    """Run a program beside, until it is enough."""
    with subprocess.Popen([sys.executable, "-c", script, path]) as other:
        try:
            yield
        finally:
            other.kill()


@contextmanager
def slow(path: Path) -> Iterator[None]:
    """Every read of the file takes 10 ms."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # what is in the log would not be read from the file
    disk = slow_disk.SlowDisk()
    disk.every_read_takes(0.01)
    yield
    disk.every_read_takes(0)


@contextmanager
def undisturbed(_path: Path) -> Iterator[None]:
    """Nothing else happens."""
    yield


CASES = {
    "nothing else happens": undisturbed,
    "another process commits without pause": lambda path: another_process(COMMITS, path),
    "another one checkpoints 20 MB again and again": lambda path: another_process(CHECKPOINTS, path),
    "another one does so with another file": lambda path: another_process(CHECKPOINTS, path.with_suffix(".other")),
    "the disk takes 10 ms for each read": slow,
}
