"""Which Redis server `CACHE=host:6379/0` means."""

import re
from typing import NamedTuple

from soulspot_db.address import read_host, read_port

__all__ = ["CacheAddress", "read_cache_address"]

_ADDRESS = re.compile(r"(?P<host>\[[^\[\]]+\]|[^:\[\]\s\0/,@]+):(?P<port>[0-9]{1,5})/(?P<number>[0-9]{1,5})")


class CacheAddress(NamedTuple):
    """A host, its port, and the number of one of its databases."""

    host: str
    port: int
    number: int


def read_cache_address(text: str) -> CacheAddress:
    """The server that an address means.

    Raises:
        ValueError: it leads nowhere; says what to write, and nothing of what was written, which may hold a password.
    """
    if "://" in text or "@" in text:
        raise ValueError(
            "write CACHE=host:6379/0, no URL; the password goes to CACHE_PASSWORD, and CACHE_TLS=true encrypts"
        )
    if "," in text:
        raise ValueError("write one server, CACHE=host:6379/0; a Redis Cluster cannot be the cache")
    found = _ADDRESS.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            "write CACHE=host:6379/0: host, port, and the number of the database in Redis, which is 0 as a rule; "
            "an IPv6 address is in brackets"
        )
    port = read_port(found["port"], "write CACHE=host:6379/0")
    return CacheAddress(
        read_host(found["host"], "CACHE=host:6379/0, or CACHE=[::1]:6379/0"), port, int(found["number"])
    )
