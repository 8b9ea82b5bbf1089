"""Which file was opened: a path may lead to another one later, or to none."""

from pathlib import Path

from soulspot_db.errors import ConnectionFailedError

__all__ = ["OpenedFile"]


class OpenedFile:
    """The file that a path leads to at this moment.

    A file that is deleted or replaced stays what it was for those who have it open: SQLite goes on, and what is written is
    gone when they close it. So somebody has to compare.

    Args:
        path: of a file that has just been opened.

    Raises:
        ConnectionFailedError: it is gone already.
    """

    def __init__(self, path: str) -> None:
        self._given = path
        self._path = Path(path).absolute()  # the program may go to another folder
        try:
            self._identity = self._found()
        except OSError as error:
            raise self._is_another() from error

    def _found(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_dev, status.st_ino

    def lost(self) -> ConnectionFailedError | None:
        """Why nothing more may be read or written; None while the path leads to the file."""
        try:
            if self._found() == self._identity:
                return None
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:
            # It cannot be told now. Where the disk fails or the folder is closed, SQLite itself says what is wrong.
            return None
        return self._is_another()

    def _is_another(self) -> ConnectionFailedError:
        return ConnectionFailedError(
            f"the file {self._given} was removed or replaced while it was open; "
            "nothing is read or written any more, because it would be lost when the program ends",
            "Start this program again: it opens the file that is there then.",
            "Stop all programs that use a database file before you delete it, move it or restore a backup.",
            database_path=self._given,
        )
