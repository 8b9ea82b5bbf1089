"""Work of every kind for one database, whose calls are to be counted."""

from random import Random

from soulspot_db import Database, DatabaseError

__all__ = ["mixed_work"]


async def mixed_work(db: Database, choice: Random, amount: int) -> None:
    """So many calls about counters; what fails is part of it. Some are in transactions, one in each."""
    for _ in range(amount):
        name = f"name {choice.randrange(40)}"
        try:
            match choice.randrange(9):
                case 0:
                    await db.save("counter", {"name": name})
                case 1:
                    await db.update("counter", name, {"value": choice.randrange(9)})
                case 2:
                    await db.delete("counter", name)
                case 3:
                    await db.query("counter", {"value": choice.randrange(3)})
                case 4:
                    await db.count("counter", {"value": choice.randrange(3)})
                case 5:
                    await db.get_many("counter", [name, "name 1", "name 2"])
                case 6:
                    async with db.transaction():
                        await db.save("counter", {"name": name})
                case _:
                    await db.get("counter", name)
        except DatabaseError:
            continue
