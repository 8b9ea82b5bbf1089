"""Variables that are probably misspelt: nobody reads them, and nothing else would say so."""

import logging
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

__all__ = ["warn_of_misspelt"]

_log = logging.getLogger("soulspot_db.settings")
_PREFIX = "DATABASE_"
_LIKENESS = 0.8  # DATABASE_HOST or DATABASE_URL are other programs' own, and like none of ours


def warn_of_misspelt(variables: Iterable[str], known: Iterable[str]) -> None:
    """Log a WARNING for each variable that is not known and differs little from one that is; once for each name."""
    ours = {name.upper().removeprefix(_PREFIX) for name in known}
    for variable in variables:
        name = variable.upper()
        rest = name.removeprefix(_PREFIX)
        if name.startswith(_PREFIX) and rest not in ours:
            for meant in get_close_matches(rest, sorted(ours), n=1, cutoff=_LIKENESS):
                _warn(name, _PREFIX + meant)


@cache  # a program may make its settings several times
def _warn(variable: str, meant: str) -> None:
    _log.warning("%s is not a setting and has no effect; did you mean %s?", variable, meant)
