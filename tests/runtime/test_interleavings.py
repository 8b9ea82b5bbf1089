"""Reads and writes at every point of each other's way: what is answered then, and what is kept."""

import shutil

import interleavings
import programs
import pytest


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return programs.empty_file(tmp_path_factory.mktemp("interleavings") / "empty.db")


@pytest.fixture(autouse=True)
def _registered():
    with programs.registered():
        yield


@pytest.mark.parametrize("inline", [True, False], ids=["on the loop", "in lanes"])
@pytest.mark.parametrize("name", interleavings.INTERLEAVINGS)
async def test(empty, tmp_path, name, inline):
    shutil.copy(empty, tmp_path / "soulspot.db")
    await interleavings.play(name, tmp_path / "soulspot.db", inline=inline)
