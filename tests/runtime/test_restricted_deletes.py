"""A row that others refer to is kept where the reference says so, and the error says why."""

import pytest
import support
from soulspot_db import ConstraintViolationError

DATABASES = ("postgresql",)


async def test_a_row_that_others_refer_to_with_restrict_is_a_violation_when_it_is_deleted(db):
    support.outside(
        db, "ALTER TABLE jobs ADD CONSTRAINT kept FOREIGN KEY (job_title) REFERENCES counters (name) ON DELETE RESTRICT"
    )
    await db.save("counter", {"name": "x"})
    await db.save("job", {"title": "x"})
    with pytest.raises(ConstraintViolationError):
        await db.delete("counter", "x")
    assert await db.count("counter") == 1
