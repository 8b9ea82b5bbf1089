"""The protocol of the two tiers, in every order of its steps; and that the model of it finds each mistake."""

import pytest
from cache_model import LARGE_SCENES, MISTAKES, SCENES, explore

# Where each mistake is found.
FOUND = {
    "delete-only": "a writer and three readers in one program",
    "late stamp": "readers beside another program's writer",
    "counter": "a writer and three readers in one program",
    "flight not forgotten": "a writer and three readers in one program",
    "early invalidation": "readers beside another program's writer",
    "transaction cached": "a transaction that is rolled back",
    "savepoint forgotten": "a writer and three readers in one program",
    "early clear": "a writer and three readers in one program",
    "late re-check": "readers beside another program's writer",
    "no re-check": "readers beside another program's writer",
    "nothing owed": "a Redis that is lost and found by a program alone",
    "owed too late": "a Redis that is lost and found by a program alone",
    "one Redis for all": "a Redis that is lost and found by a program alone",
    "kept while dirty": "a writer and three readers in one program",
}


@pytest.mark.parametrize("scene", [*SCENES, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE_SCENES)])
def test_no_order_of_steps_breaks_the_promise(scene):
    worlds, way = explore((SCENES | LARGE_SCENES)[scene])
    assert way is None
    assert worlds > 1_000  # all of them, and not none


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_breaks_it(mistake):
    _, way = explore(SCENES[FOUND[mistake]], mistake)
    assert way is not None
    assert " instead of " in way[-1]
