"""The source of a Python file as a tree."""

import ast
import threading

__all__ = ["parsed"]

_LOCK = threading.Lock()


def parsed(text: str | bytes) -> ast.Module:
    """The tree of `text`; bytes say their encoding themselves.

    Raises:
        SyntaxError: it is not Python.
    """
    # Up to 3.12, Python counts how deep it is in a tree for all threads together, and fails where two make one at a time.
    with _LOCK:
        return ast.parse(text)
