"""Variables that are probably misspelt: nobody reads them, and nothing else would say so."""

import logging
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache

__all__ = ["warn_of_misspelt"]

_log = logging.getLogger("soulspot_db.settings")
_PREFIX = "DATABASE_"
_CACHE = "CACHE_"
_OF_REDIS = ("CACHE_PASSWORD", "CACHE_TLS", "CACHE_PREFIX")
_LIKENESS = 0.8  # DATABASE_HOST or DATABASE_URL are other programs' own, and like none of ours


def warn_of_misspelt(variables: Iterable[str], known: Iterable[str]) -> None:
    """Log a WARNING for each variable that is not known and differs little from one that is; once for each name."""
    ours = {name.upper().removeprefix(_PREFIX) for name in known}
    of_cache = {name for name in ours if name.startswith(_CACHE)}
    for variable in variables:
        name = variable.upper()
        if name.startswith(_PREFIX) and (rest := name.removeprefix(_PREFIX)) not in ours:
            for meant in get_close_matches(rest, sorted(ours), n=1, cutoff=_LIKENESS):
                _warn(name, _PREFIX + meant)
        elif name.startswith(_CACHE) and name not in _OF_REDIS:
            # The settings of the cache itself are the database's: CACHE_TTL is DATABASE_CACHE_TTL.
            for meant in [name] if name in of_cache else get_close_matches(name, _OF_REDIS, n=1, cutoff=_LIKENESS):
                _warn(name, _PREFIX + meant if name in of_cache else meant)


@cache  # a program may make its settings several times
def _warn(variable: str, meant: str) -> None:
    _log.warning("%s is not a setting and has no effect; did you mean %s?", variable, meant)
