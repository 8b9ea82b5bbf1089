"""The runtime against a model: whatever is done at the same time, every answer is that of one moment, and none is old."""

import programs
import pytest
from hypothesis import HealthCheck, given, settings


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return programs.empty_file(folder / "empty.db"), folder / "run.db"


@pytest.fixture(autouse=True)
def _registered():
    with programs.registered():
        yield


RUNS = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@settings(RUNS, max_examples=20)
@given(program=programs.programs())
def test_every_answer_is_the_models(files, program):
    programs.run(program, *files)


@settings(RUNS, max_examples=8)
@given(program=programs.programs())
def test_the_answers_with_and_without_a_cache_are_the_models(files, program):
    for size in (1_000, 0):
        programs.run(program, *files, cache_max_size=size)


@pytest.mark.slow
@settings(RUNS, max_examples=600)
@given(program=programs.programs(databases=1, least=4, most=8))
def test_every_answer_of_one_database_is_the_models(files, program):
    for size in (1_000, 0):
        programs.run(program, *files, cache_max_size=size)


@pytest.mark.slow
@settings(RUNS, max_examples=600)
@given(program=programs.programs(databases=2, least=4, most=8))
def test_every_answer_of_two_databases_on_one_file_is_the_models(files, program):
    programs.run(program, *files)


@pytest.mark.slow
@settings(RUNS, max_examples=300)
@given(program=programs.programs())
def test_a_cache_of_two_entries_for_each_entity_changes_no_answer(files, program):
    programs.run(program, *files, cache_max_size=2)
