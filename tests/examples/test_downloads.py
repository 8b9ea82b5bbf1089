"""DownloadService: what is asked of a database, and what is in a real one afterwards."""

from unittest.mock import ANY, AsyncMock, call

import pytest
from soulspot.downloads import DownloadClient, DownloadClientError, DownloadService
from soulspot_db import NotFoundError, ValidationFailedError


@pytest.fixture
def slskd():
    client = AsyncMock(spec=DownloadClient)
    client.start_download.return_value = "transfer-1"
    return client


@pytest.fixture
def downloads(db, slskd):
    return DownloadService(db, slskd)


async def test_a_download_is_saved_as_pending_before_slskd_is_asked(fake_db, slskd):
    async def transfer(_username, _file_path):
        fake_db.save.assert_awaited_once_with(
            "download",
            {"track_id": "a-track", "username": "ann", "file_path": "a.flac", "priority": 5, "status": "pending"},
        )
        fake_db.update.assert_not_awaited()
        return "transfer-1"

    slskd.start_download.side_effect = transfer
    await DownloadService(fake_db, slskd).start("a-track", "ann", "a.flac", priority=5)
    slskd.start_download.assert_awaited_once_with("ann", "a.flac")


async def test_a_started_download_has_the_id_of_its_transfer(fake_db, slskd):
    fake_db.save.return_value = "a-download"
    assert await DownloadService(fake_db, slskd).start("a-track", "ann", "a.flac") == "a-download"
    fake_db.update.assert_awaited_once_with(
        "download", "a-download", {"status": "downloading", "slskd_download_id": "transfer-1", "started_at": ANY}
    )


async def test_a_download_that_slskd_refuses_has_failed_and_says_why(fake_db, slskd):
    fake_db.save.return_value = "a-download"
    slskd.start_download.side_effect = DownloadClientError("ann is offline")
    assert await DownloadService(fake_db, slskd).start("a-track", "ann", "a.flac") == "a-download"
    fake_db.update.assert_awaited_once_with(
        "download", "a-download", {"status": "failed", "error_message": "ann is offline"}
    )


async def test_a_mistake_in_the_client_is_not_taken_for_a_refusal(fake_db, slskd):
    slskd.start_download.side_effect = TypeError("a bug")
    with pytest.raises(TypeError):
        await DownloadService(fake_db, slskd).start("a-track", "ann", "a.flac")
    fake_db.update.assert_not_awaited()


async def test_no_transaction_is_open_while_slskd_answers(fake_db, slskd):
    await DownloadService(fake_db, slskd).start("a-track", "ann", "a.flac")
    fake_db.transaction.assert_not_called()


async def test_the_queue_is_what_is_pending_or_downloading_the_oldest_first(fake_db, slskd):
    fake_db.query.return_value = [{"id": "a-download"}]
    assert await DownloadService(fake_db, slskd).queue() == [{"id": "a-download"}]
    fake_db.query.assert_awaited_once_with("download", {"status": ["pending", "downloading"]}, order_by="created_at")


async def test_a_completed_download_and_its_track_are_changed_inside_one_transaction(fake_db, slskd):
    fake_db.get_or_raise.return_value = {"track_id": "a-track"}
    await DownloadService(fake_db, slskd).mark_completed("a-download", "/music/a.flac")
    # Between entering and leaving the block, and nowhere else.
    assert [name for name, _, _ in fake_db.mock_calls] == [
        "transaction",
        "transaction().__aenter__",
        "get_or_raise",
        "update",
        "update",
        "transaction().__aexit__",
    ]
    assert [update.args[:2] for update in fake_db.update.await_args_list] == [
        ("download", "a-download"),
        ("track", "a-track"),
    ]


async def test_progress_goes_to_the_download(fake_db, slskd):
    fake_db.update.return_value = True
    assert await DownloadService(fake_db, slskd).report_progress("a-download", 12.5) is True
    assert fake_db.update.await_args == call("download", "a-download", {"progress_percent": 12.5})


async def test_a_download_from_its_start_to_its_end(db, downloads, track_id):
    download_id = await downloads.start(track_id, "ann", "@@music\\a.flac", priority=2)
    started = await db.get("download", download_id)
    assert (started["status"], started["slskd_download_id"], started["priority"]) == ("downloading", "transfer-1", 2)
    assert (started["track_id"], started["username"], started["file_path"]) == (track_id, "ann", "@@music\\a.flac")
    assert started["started_at"] >= started["created_at"]

    assert await downloads.report_progress(download_id, 60.0) is True
    assert (await db.get("download", download_id))["progress_percent"] == 60.0

    await downloads.mark_completed(download_id, "/music/a.flac")
    completed = await db.get("download", download_id)
    assert (completed["status"], completed["progress_percent"]) == ("completed", 100.0)
    assert completed["local_file_path"] == "/music/a.flac"
    assert completed["completed_at"] >= completed["started_at"]
    track = await db.get("track", track_id)
    assert (track["file_path"], track["download_state"]) == ("/music/a.flac", "downloaded")


async def test_the_queue_of_a_real_database_leaves_out_what_is_over(downloads, slskd, track_id):
    first, completed, last = [await downloads.start(track_id, "ann", f"{n}.flac") for n in range(3)]
    await downloads.mark_completed(completed, "/music/1.flac")
    slskd.start_download.side_effect = DownloadClientError("ann is offline")
    await downloads.start(track_id, "ann", "3.flac")
    assert [download["id"] for download in await downloads.queue()] == [first, last]


async def test_a_pending_download_is_in_the_queue_while_slskd_answers(downloads, slskd, track_id):
    seen = []

    async def transfer(_username, _file_path):
        seen.extend(await downloads.queue())
        return "transfer-1"

    slskd.start_download.side_effect = transfer
    await downloads.start(track_id, "ann", "a.flac")
    assert [download["status"] for download in seen] == ["pending"]


async def test_a_track_that_cannot_be_changed_leaves_the_download_unfinished(db, downloads, track_id):
    download_id = await downloads.start(track_id, "ann", "a.flac")
    too_long_for_a_track = "/" + 600 * "a"
    with pytest.raises(ValidationFailedError):
        await downloads.mark_completed(download_id, too_long_for_a_track)
    assert (await db.get("download", download_id))["status"] == "downloading"
    assert (await db.get("track", track_id))["file_path"] is None


async def test_a_download_that_does_not_exist_cannot_be_completed(downloads):
    with pytest.raises(NotFoundError):
        await downloads.mark_completed("0190a0a0-0000-7000-8000-000000000000", "/music/a.flac")


async def test_progress_of_a_download_that_does_not_exist_is_not_noted(downloads):
    assert await downloads.report_progress("0190a0a0-0000-7000-8000-000000000000", 50.0) is False
