"""Which Redis server `CACHE=host:6379/0` means."""

import re
from ipaddress import IPv6Address
from typing import NamedTuple

__all__ = ["CacheAddress", "read_cache_address"]

_ADDRESS = re.compile(r"(?P<host>\[[^\[\]]+\]|[^:\[\]\s\0/,@]+):(?P<port>[0-9]{1,5})/(?P<number>[0-9]{1,5})")
_HIGHEST_PORT = 65535


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
    port = int(found["port"])
    if not 1 <= port <= _HIGHEST_PORT:
        raise ValueError(f"a port is a number from 1 to {_HIGHEST_PORT}; write CACHE=host:6379/0")
    return CacheAddress(_host(found["host"]), port, int(found["number"]))


def _host(host: str) -> str:
    try:
        if host.startswith("["):
            return str(IPv6Address(host[1:-1]))
        host.encode("idna")  # as Python does before it looks a name up
    except ValueError:  # of which UnicodeError is one
        raise ValueError("no host can have such a name; write CACHE=host:6379/0, or CACHE=[::1]:6379/0") from None
    return host
