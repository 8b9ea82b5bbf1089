"""The tests of the cache, tested: each mistake, planted in the runtime itself, is found by them."""

import shutil
from contextlib import suppress

import planted
import programs
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from interleavings import play

# What programs made at random do not do (they write few rows, and no disk fails), or too rarely at the right moment, and
# what makes them wait for longer and not read anything wrong.
RARE = {
    "a commit of unknown outcome not invalidated",
    "a load in flight not forgotten",
    "a load kept though a write overtook it",
    "a natural key's answer kept though its text is another row's key",
    "a refused write leaves its tags dirty",
    "bulk writes not invalidated",
    "dirty cleared by the first of two writers",
    "fresh reads join loads that have begun",
    "invalidation before COMMIT",
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return programs.empty_file(tmp_path_factory.mktemp("planted") / "empty.db")


@pytest.fixture(autouse=True)
def _registered():
    with programs.registered():
        yield


@pytest.mark.parametrize("name", planted.MISTAKES)
async def test_a_planted_mistake_is_found(empty, tmp_path, name):
    mistake, scene = planted.MISTAKES[name]
    for file in ("without.db", "with.db"):
        shutil.copy(empty, tmp_path / file)
    await play(scene, tmp_path / "without.db", inline=False)
    with mistake(), pytest.raises((AssertionError, TimeoutError)):
        await play(scene, tmp_path / "with.db", inline=False, patience=2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", sorted(planted.MISTAKES.keys() - RARE))
def test_programs_made_at_random_find_a_planted_mistake_too(empty, tmp_path, name):
    mistake, _ = planted.MISTAKES[name]
    with mistake():
        assert _found(empty, tmp_path / "with.db", 600)


def _found(empty, path, most):
    """What was wrong with the first program that found something wrong, among so many."""
    wrong = []

    @seed(0)
    @settings(
        max_examples=most,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs.programs())
    def run(program):
        try:
            if not wrong:
                programs.run(program, empty, path)
        except Exception as error:  # noqa: BLE001 - collected: what would be a failure elsewhere is wanted here
            wrong.append(error)
        assert not wrong  # ends the search

    with suppress(AssertionError):
        run()
    return wrong
