"""Topics, and the patterns that match them."""

from soulspot_db.errors import ValidationFailedError

__all__ = ["checked_topic", "matches", "parse_pattern"]


def parse_pattern(pattern: str) -> tuple[str, ...]:
    """The segments of a pattern.

    Raises:
        ValidationFailedError: the pattern is not one.
    """
    segments = _segments(pattern)
    if not segments or "**" in segments[:-1]:
        raise ValidationFailedError(
            f"{pattern!r} is not a topic pattern",
            "Write segments joined by dots, `*` for any one segment, `**` at the end for the rest.",
            operation="subscribe",
        )
    return segments


def checked_topic(topic: str) -> str:
    """`topic`, if something can be published on it.

    Raises:
        ValidationFailedError: it is not segments joined by dots.
    """
    if not _segments(topic):
        raise ValidationFailedError(
            f"{topic!r} is not a topic",
            "Write segments joined by dots, such as `download.completed`.",
            operation="publish",
        )
    return topic


def _segments(text: object) -> tuple[str, ...]:
    """The segments of a topic or a pattern; none where it is neither."""
    segments = tuple(text.split(".")) if isinstance(text, str) else ()
    return segments if all(segments) else ()


def matches(pattern: tuple[str, ...], topic: tuple[str, ...]) -> bool:
    """Whether the segments of a topic are those of a pattern: `*` is one segment, `**` at the end the rest."""
    if pattern[-1] == "**":
        pattern = pattern[:-1]
        topic = topic[: len(pattern)]
    return len(pattern) == len(topic) and all(want in {"*", part} for want, part in zip(pattern, topic, strict=True))
