"""A clock on the wall that is set back a day: every answer comes in time, and nothing is counted backwards."""

import json
import re
import subprocess
import sys

import preloaded
import pytest
import wall_clock

pytestmark = pytest.mark.skipif(preloaded.lacking() is not None, reason=str(preloaded.lacking()))


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clock")
    environment = preloaded.environment(wall_clock.SOURCE, folder)
    command = [sys.executable, wall_clock.__file__, folder]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("address", wall_clock.ADDRESSES)
def test_each_address_answers_as_before_within_two_seconds(told, address):
    answer = told["after"][address]
    assert answer["status"] == told["before"][address]["status"] == 200
    assert answer["seconds"] < 2
    assert "Traceback" not in answer["text"]


def test_health_stays_well(told):
    report = json.loads(told["after"]["/health"]["text"])
    assert {name: check["status"] for name, check in report["checks"].items()} == dict.fromkeys(report["checks"], "ok")
    assert all(check["latency_ms"] >= 0 for check in report["checks"].values())
    assert report["checks"]["backup"]["message"] == "made 0 h ago"


def numbers(value):
    if isinstance(value, dict):
        return {f"{key}.{rest}": n for key, each in value.items() for rest, n in numbers(each).items()}
    if isinstance(value, list):
        return {f"{key}.{rest}": n for key, each in enumerate(value) for rest, n in numbers(each).items()}
    return {"": value} if isinstance(value, int | float) else {}


def test_no_figure_is_less_than_nothing(told):
    found = numbers(json.loads(told["after"]["/stats?detail=full"]["text"]))
    assert len(found) > 50
    assert {name: value for name, value in found.items() if value < 0} == {}


def test_no_counter_falls(told):
    before, after = (
        {name: float(value) for name, value in re.findall(r"^(\w+_total(?:\{.*\})?) (\S+)$", each, re.MULTILINE)}
        for each in (told[when]["/metrics"]["text"] for when in ("before", "after"))
    )
    assert before
    assert {name for name, value in before.items() if after[name] < value} == set()


def test_no_moment_on_the_card_is_in_the_future(told):
    assert re.findall(r">(-[^<]*ago)<", told["after"]["/card"]["text"]) == []
    assert "0 s ago" in told["after"]["/card"]["text"]


def test_what_is_kept_in_memory_stays_there(told):
    assert told["hits"] == 1
