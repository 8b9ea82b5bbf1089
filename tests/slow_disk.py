"""A disk that takes long for every read, made of a library that is loaded before SQLite's."""

import ctypes
import sqlite3
from contextlib import closing
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


class SlowDisk:
    """The switch, in such a process."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._microseconds = ctypes.c_int.in_dll(library, "slow_disk_microseconds")
        self._waits = ctypes.c_int.in_dll(library, "slow_disk_waits_of_main_thread")

    def every_read_takes(self, seconds: float) -> None:
        """From now on."""
        self._microseconds.value = int(seconds * 1_000_000)

    def slows(self, path: Path) -> bool:
        """Whether SQLite's reads of this database really pass by here."""
        before = self.waits
        self.every_read_takes(0.000_001)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        self.every_read_takes(0)
        return self.waits > before

    @property
    def waits(self) -> int:
        """How often the main thread has waited for the disk."""
        return self._waits.value
