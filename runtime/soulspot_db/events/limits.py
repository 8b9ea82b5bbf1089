"""What a handler is allowed, and which numbers can say so."""

from dataclasses import dataclass

from soulspot_db.errors import ValidationFailedError

__all__ = ["Limits", "checked_patience", "is_seconds"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a handler is allowed.

    Raises:
        ValidationFailedError: one of them makes no sense.
    """

    max_pending: int  # events that may wait, in all shards together
    patience: float  # seconds that more than that may wait
    shards: int  # events that are handled at once
    timeout: float | None  # seconds for one event

    def __post_init__(self) -> None:
        wrong = (
            "max_pending must be a whole number, 1 or more"
            if not _is_count(self.max_pending)
            else "shards must be a whole number, 1 or more"
            if not _is_count(self.shards)
            else "timeout must be more than 0 seconds, or None for no limit"
            if self.timeout is not None and not (is_seconds(self.timeout) and self.timeout)
            else None
        )
        if wrong is not None:
            raise ValidationFailedError(wrong, "Leave it out.", operation="subscribe")


def checked_patience(patience: float) -> float:
    """`patience`, if it can be a number of seconds.

    Raises:
        ValidationFailedError: it cannot.
    """
    if not is_seconds(patience):
        raise ValidationFailedError("patience must be 0 seconds or more", "Leave it out.", operation="EventBus")
    return patience


def is_seconds(value: object) -> bool:
    """Whether it is a number of seconds, 0 or more."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return float(value) >= 0
    except OverflowError:  # an int that no clock can add to its time
        return False


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 1  # a bool is an int, and no count
