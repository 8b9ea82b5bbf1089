"""Downloads tracks from Soulseek users through slskd, and remembers how each attempt went."""

from datetime import UTC, datetime
from typing import Any, Protocol

from soulspot_db import DatabaseService

__all__ = ["DownloadClient", "DownloadClientError", "DownloadService"]


class DownloadClientError(Exception):
    """slskd could not start a download: the user is offline, the file is gone, slskd itself is down."""


class DownloadClient(Protocol):
    """What this module needs of slskd."""

    async def start_download(self, username: str, file_path: str) -> str:
        """Ask a user for a file and return the id of the transfer; raises DownloadClientError."""
        ...


class DownloadService:
    """Starts downloads and follows them to their end.

    Args:
        db: where downloads are kept.
        client: what transfers the files.
    """

    def __init__(self, db: DatabaseService, client: DownloadClient) -> None:
        self._db = db
        self._client = client

    async def start(self, track_id: str, username: str, file_path: str, *, priority: int = 0) -> str:
        """Try to get a track from a user; returns the id of the download, whose status says how it went."""
        # Committed before slskd is asked, so that no transfer runs which the database has never heard of.
        download_id = await self._db.save(
            "download",
            {
                "track_id": track_id,
                "username": username,
                "file_path": file_path,
                "priority": priority,
                "status": "pending",
            },
        )
        try:
            transfer_id = await self._client.start_download(username, file_path)
        except DownloadClientError as error:
            await self._db.update("download", download_id, {"status": "failed", "error_message": str(error)})
        else:
            await self._db.update(
                "download",
                download_id,
                {"status": "downloading", "slskd_download_id": transfer_id, "started_at": datetime.now(UTC)},
            )
        return download_id

    async def queue(self) -> list[dict[str, Any]]:
        """The downloads that are not over yet, the oldest first."""
        return await self._db.query("download", {"status": ["pending", "downloading"]}, order_by="created_at")

    async def report_progress(self, download_id: str, percent: float) -> bool:
        """Note how far a download has come; False if there is no such download."""
        return await self._db.update("download", download_id, {"progress_percent": percent})

    async def mark_completed(self, download_id: str, local_file_path: str) -> None:
        """Note where the file is, on the download and on its track: both, or neither if anything fails.

        Raises:
            NotFoundError: there is no such download.
        """
        async with self._db.transaction():
            download = await self._db.get_or_raise("download", download_id)
            await self._db.update(
                "download",
                download_id,
                {
                    "status": "completed",
                    "progress_percent": 100.0,
                    "local_file_path": local_file_path,
                    "completed_at": datetime.now(UTC),
                },
            )
            await self._db.update(
                "track",
                download["track_id"],
                {"file_path": local_file_path, "download_state": "downloaded"},
            )
