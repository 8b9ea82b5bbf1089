"""Who takes part where; the first is whom the others are compared with."""

from contestant import Contestant
from ours import SoulspotDb
from peer_advanced_alchemy import AdvancedAlchemy
from peer_aiosqlite import Aiosqlite
from peer_asyncpg import Asyncpg
from peer_caches import Cachetools, Cashews
from peer_group_commit import GroupCommit
from peer_sqlalchemy import OrmAsSoulspot2, SqlalchemyCore, SqlalchemyOrm
from peer_sqlite3 import Sqlite3
from peer_tortoise import TortoiseOrm

__all__ = ["CONTESTANTS", "MIXED"]

MAPPERS = (AdvancedAlchemy, SqlalchemyOrm, SqlalchemyCore, TortoiseOrm)
CONTESTANTS: dict[str, tuple[type[Contestant], ...]] = {
    "sqlite": (SoulspotDb, *MAPPERS, Aiosqlite, Sqlite3, GroupCommit, Cachetools, Cashews),
    "postgresql": (SoulspotDb, *MAPPERS, Asyncpg, Cachetools, Cashews),
}
MIXED: dict[str, tuple[type[Contestant], ...]] = {
    "sqlite": (SoulspotDb, OrmAsSoulspot2, AdvancedAlchemy),
    "postgresql": (SoulspotDb, OrmAsSoulspot2, AdvancedAlchemy),
}
