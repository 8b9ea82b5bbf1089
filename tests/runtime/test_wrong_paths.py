"""A path that cannot be a database file: the error says what is wrong with it."""

import pytest
import support
from soulspot_db import ConnectionFailedError, Database


async def refusal(path):
    with pytest.raises(ConnectionFailedError) as raised:
        await Database(support.settings(path)).open()
    return raised.value


async def test_a_folder_is_not_a_database(tmp_path):
    error = await refusal(tmp_path)
    assert f"{tmp_path} is a folder" in error.message
    assert f"DATABASE={tmp_path / 'soulspot.db'}" in error.resolution
    assert "backup" not in error.resolution


@pytest.mark.parametrize("below", ["x.db", "folder/x.db"])
async def test_a_file_has_no_file_in_it(tmp_path, below):
    (tmp_path / "file").touch()
    error = await refusal(tmp_path / "file" / below)
    assert f"{tmp_path / 'file'} is a file" in error.message
    assert "mkdir" not in error.resolution


@pytest.mark.parametrize(
    ("path", "hint"), [("localhost/soulspot", True), ("a/b/soulspot", False), ("/nosuch/x", False)]
)
async def test_a_missing_folder_that_may_be_a_host_is_told_with_the_form_for_a_server(
    tmp_path, monkeypatch, path, hint
):
    monkeypatch.chdir(tmp_path)
    error = await refusal(path)
    assert "does not exist" in error.message
    assert ("DATABASE=localhost:5432/soulspot" in error.resolution) is hint
