"""Repository: all behaviour of generated repositories. A generated method is one call of a method of one of its parts."""

from typing import Generic, TypeVar

from soulspot_db.entity import Entity
from soulspot_db.repositories.hiding import HidingRepository

__all__ = ["Repository"]

Model = TypeVar("Model", bound=Entity)
KeyType = TypeVar("KeyType")


class Repository(HidingRepository[Model, KeyType], Generic[Model, KeyType]):
    """Reads and writes one entity.

    Args:
        db: a database, whose current transaction the calls join, or one transaction.
    """
