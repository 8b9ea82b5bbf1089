"""Text that both databases can store."""

__all__ = ["ascii_lower", "storable"]


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


def ascii_lower(text: str) -> str:
    """`text` with its ASCII letters in lower case, as both databases fold it."""
    return text.encode().lower().decode()
