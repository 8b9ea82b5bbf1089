"""`soulspot-db generate --watch`, as it runs beside an editor."""

import signal
import subprocess
import sys
import time

import pytest
from projects import write_project, write_schema

GOOD = "fields:\n  id: {type: uuid, primary_key: true}\n"
BAD = "fields:\n  id: {type: uid, primary_key: true}\n"


class Watching:
    """The command in a process of its own, and what it has printed so far."""

    def __init__(self, root):
        self._log = root / "log"
        command = [sys.executable, "-u", "-c", "from soulspot_db.cli import main; main()", "generate", "--watch"]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=root, stdout=log, stderr=subprocess.STDOUT)

    @property
    def printed(self):
        return self._log.read_text()

    def wait_for(self, text, times=1):
        end = time.monotonic() + 20
        while self.printed.count(text) < times:
            assert self.process.poll() is None, self.printed
            assert time.monotonic() < end, f"{text!r} not in:\n{self.printed}"
            time.sleep(0.02)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


@pytest.fixture
def root(tmp_path):
    return write_project(tmp_path, {"music/song.yaml": GOOD})


@pytest.fixture
def watching(root):
    watching = Watching(root)
    yield watching
    watching.process.kill()
    watching.process.wait()


def test_it_generates_at_once_and_after_each_change_and_survives_mistakes(root, watching):
    watching.wait_for("create generated/entities/music/song.py\n")
    write_schema(root, "music/album.yaml", BAD)
    watching.wait_for("schemas/music/album.yaml:2:14: unknown field type 'uid'")
    # An editor writes another file and puts it in the place of the first.
    write_schema(root, "music/.album.new", GOOD)
    (root / "schemas/music/.album.new").replace(root / "schemas/music/album.yaml")
    watching.wait_for("create generated/entities/music/album.py\n")
    write_schema(root, "radio/station.yaml", GOOD)
    watching.wait_for("create generated/entities/radio/station.py\n")
    write_schema(root, "radio/host.yaml", GOOD)
    watching.wait_for("create generated/entities/radio/host.py\n")
    (root / "pyproject.toml").write_text("[tool.soulspot-db")
    watching.wait_for("pyproject.toml is not valid TOML")
    (root / "pyproject.toml").write_text('[tool.soulspot-db]\noutput = "other"\n')
    watching.wait_for("create other/music/song.py\n")
    assert watching.interrupt() == 0
    assert "Traceback" not in watching.printed


def test_ctrl_c_ends_it_cleanly_before_anything_has_changed(watching):
    watching.wait_for("create generated/entities/music/song.py\n")
    assert watching.interrupt() == 0
    assert "Traceback" not in watching.printed


def test_what_it_makes_itself_does_not_set_it_off(root, watching):
    watching.wait_for("create generated/entities/music/song.py\n")
    time.sleep(1)
    before = watching.printed
    time.sleep(1)
    assert watching.printed == before
