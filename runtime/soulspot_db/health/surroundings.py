"""What the database is used with: its connections, its migrations, Redis."""

from collections.abc import Mapping

from soulspot_db.cache.tier import SecondTier
from soulspot_db.engine.base import Engine, Statement
from soulspot_db.health.finding import Finding, failed, fine, warned
from soulspot_db.migrations.version import REVISION

__all__ = ["connections", "migration", "redis"]


async def connections(engine: Engine) -> Finding:
    """Whether a connection is free."""
    figures = engine.connections()
    message = f"{figures.active} of {figures.total} at work"
    # PostgreSQL's are made when they are needed, so that there may be none.
    return warned(f"{message}: all are") if figures.active >= max(figures.total, figures.maximum) else fine(message)


async def migration(engine: Engine, heads: Mapping[str, str]) -> Finding:
    """Whether the tables are those that the code was generated for."""
    if not heads:
        return fine("no package has migrations")
    rows = await engine.read(Statement(REVISION))
    found, needed = {str(revision) for (revision,) in rows}, set(heads.values())
    current = ", ".join(sorted(found)) or "none"
    if found != needed:
        return failed(f"the database is at revision {current}; the code needs {', '.join(sorted(needed))}")
    return fine(f"at revision {current}")


async def redis(tier: SecondTier) -> Finding:
    """Whether the second tier answers; without it, reads go on and ask the database."""
    if await tier.size() is None:
        return warned("it does not answer; reads go to the database")
    return fine("it answers")
