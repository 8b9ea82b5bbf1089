"""Ctrl-C while the demo is at work."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def restore_ctrl_c():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started the tests may have it ignored


def test_ctrl_c_ends_it_without_a_traceback_and_leaves_no_file(tmp_path):
    command = [sys.executable, ROOT / "docs" / "examples" / "demo.py"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=restore_ctrl_c,  # noqa: PLW1509 - this process has one thread here
    ) as running:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("soulspot-demo-*/soulspot.db-wal")) and time.monotonic() < deadline:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert (running.returncode, said) == (1, "stopped; nothing is left behind\n")
    assert list(tmp_path.iterdir()) == []
