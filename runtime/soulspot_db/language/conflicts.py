"""What git leaves in a file that two branches have changed in one place."""

import re

__all__ = ["conflict_line"]

_BEGIN = re.compile(r"^<{7}(?: |$)", re.MULTILINE)


def conflict_line(text: str) -> int | None:
    """The line, from 1, in which the first unresolved merge conflict of a text begins; None where there is none."""
    found = _BEGIN.search(text)
    return None if found is None else text.count("\n", 0, found.start()) + 1
