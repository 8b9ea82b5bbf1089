"""A run of the generator that is killed: every file is as it was or as it should be, and the next run finishes it."""

import random
import shutil
import subprocess
import sys
import time

import pytest
from projects import run, tree, write_project, write_schema

SHOW = "fields:\n  id: {type: uuid, primary_key: true}\n  title: {type: string, max_length: 80}\n"
COMMAND = [sys.executable, "-c", "from soulspot_db.cli import main; main()", "generate"]


@pytest.fixture(scope="module")
def states(tmp_path_factory):
    """A generated project to which two entities were added, and the trees before and after the next run."""
    root = write_project(tmp_path_factory.mktemp("killed") / "project", {"media/show.yaml": SHOW})
    assert run(root).code == 0
    before = tree(root)
    write_schema(root, "media/episode.yaml", SHOW)
    write_schema(root, "radio/station.yaml", SHOW)
    done = shutil.copytree(root, root.parent / "done")
    assert run(done).code == 0
    return root, before, tree(done)


@pytest.mark.parametrize("attempt", range(12))
def test_a_run_that_is_killed_leaves_nothing_in_between_and_the_next_one_finishes(states, tmp_path, attempt):
    template, before, after = states
    root = shutil.copytree(template, tmp_path / "project")
    schemas = {name for name in after if name.startswith("schemas/")}
    process = subprocess.Popen([*COMMAND, "--project", str(root)], stdout=subprocess.DEVNULL)
    watched = root / "migrations/versions"
    # From the moment the first file changes on, because all before is only reading.
    while process.poll() is None and len(list(watched.iterdir())) < 2:
        time.sleep(0.0002)
    time.sleep(random.Random(attempt).random() * 0.004)
    process.kill()
    process.wait()
    for name, text in tree(root).items():
        if not name.endswith(".unfinished"):
            assert text in {before.get(name), after.get(name)} or name in schemas, name
    assert run(root).code == 0
    assert tree(root) == after


def test_a_revision_that_nobody_recorded_is_refused(states, tmp_path):
    root = shutil.copytree(states[0], tmp_path / "project")
    (root / "migrations/versions/0002_by_hand.py").write_text("revision = 'abc'\n")
    outcome = run(root)
    assert outcome.code == 1
    assert "versions/0002_by_hand.py is not in migrations.sum" in outcome.err
