"""Whatever a schema says, the rows that factories make of it can be saved."""

import kit_strategies
from hypothesis import HealthCheck, given, settings
from soulspot_db import EntityRegistry
from soulspot_db.language.types import TYPES
from soulspot_db.schema import resolved
from soulspot_db.testing import Factories

UNHURRIED = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]


def test_the_strategies_know_every_type():
    assert set(kit_strategies.RULES) == set(TYPES)


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(schemas=kit_strategies.schemas())
async def test_every_row_of_any_entity_saves_and_is_made_again_by_its_seed(db, schemas):
    with EntityRegistry.isolated() as registry:
        for schema in schemas:
            registry.register(schema.entity_type, schema)
            await db.create_table(schema.entity_type)
        factories = Factories(db, seed=1)
        rows = [await made.create("child") for made in (factories, factories.full) * 3]
        assert await db.count("child") == len(rows)
        again = Factories(db, seed=1)
        built = [again.build("child") for _ in range(2)]
        again.seed(1)
        # The runtime's clock goes on, and a check that holds a time against another may have a row drawn again.
        if all(field.type != "datetime" for field in resolved(schemas[1]).spec.fields.values()):
            assert built == [again.build("child") for _ in range(2)]
