"""Text that both databases can store."""

__all__ = ["storable"]


def storable(text: str) -> str:
    """`text` itself.

    Raises:
        ValueError: it has a character that one of the databases refuses.
    """
    if "\0" in text:
        raise ValueError("NUL characters cannot be stored")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("unpaired surrogates cannot be stored as UTF-8") from None
    return text
