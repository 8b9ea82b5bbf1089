"""Which PostgreSQL server `DATABASE=host:5432/name` and its other forms mean."""

import re
from ipaddress import IPv6Address
from typing import NamedTuple

__all__ = ["ServerAddress", "means_server", "read_address", "read_host", "read_port"]

# What comes before the first slash has a port, in digits.
_MEANT = re.compile(r"[^/]*:[0-9]+(?=[,/]|$)")
_SERVER = re.compile(r"(?P<host>\[[^\[\]]+\]|[^:\[\]\s\0]+)(?::(?P<port>[0-9]+))?")
_SOCKET = re.compile(r"(?P<folder>/[^\s\0:]+)(?::(?P<port>[0-9]+))?/(?P<name>[^/:]*)")
_DEFAULT_PORT = 5432
_HIGHEST_PORT = 65535
_PORT_HINT = f"PostgreSQL's own is {_DEFAULT_PORT}"


class ServerAddress(NamedTuple):
    """The hosts, each with its port, or the folder of a socket; and the name of the database."""

    hosts: list[str]
    ports: list[int]
    name: str


def means_server(text: str) -> bool:
    """Whether nobody would give a file this name, unless by mistake."""
    return _MEANT.match(text) is not None


def read_address(text: str) -> ServerAddress:
    """The server and the database that an address means.

    Raises:
        ValueError: it leads nowhere; says what to write, and nothing of what was written, which may hold a password.
    """
    if text.startswith("/") and not means_server(text[1:]):
        found = _SOCKET.fullmatch(text)
        if found is None:
            raise ValueError(
                "PostgreSQL needs DATABASE=host:5432/name, or the folder of its socket: /run/postgresql/name"
            )
        return ServerAddress(
            [found["folder"]], [read_port(found["port"] or str(_DEFAULT_PORT), _PORT_HINT)], _name(found["name"])
        )
    servers, _, name = text.removeprefix("/").partition("/")
    return ServerAddress(*_hosts(servers), _name(name))


def _hosts(servers: str) -> tuple[list[str], list[int]]:
    if "@" in servers:
        raise ValueError(
            "write DATABASE=host:5432/name; the user goes to DATABASE_USER, the password to DATABASE_PASSWORD"
        )
    hosts: list[str] = []
    ports: list[str | None] = []
    for server in servers.split(","):
        found = _SERVER.fullmatch(server)
        if found is None:
            form = (
                "an IPv6 address is in brackets: [::1]:5432/name" if server.count(":") > 1 else "write host:5432/name"
            )
            raise ValueError(f"a host and its port are missing; {form}")
        hosts.append(read_host(found["host"], "host:5432/name, or [::1]:5432/name"))
        ports.append(found["port"])
    given = [read_port(port, _PORT_HINT) for port in ports if port is not None]
    if not given:
        raise ValueError("the port is missing; write host:5432/name")
    if len(given) == len(hosts):
        return hosts, given
    if len(given) == 1 and ports[-1] is not None:  # as libpq has it, one is for all
        return hosts, given * len(hosts)
    raise ValueError("of several hosts each has its port, or one is for all: h1:5432,h2:5432/name or h1,h2:5432/name")


def read_host(host: str, form: str) -> str:
    """A host's name or address without brackets; raises ValueError, which says to write `form`, where there can be no such host."""
    try:
        if host.startswith("["):
            return str(IPv6Address(host[1:-1]))
        host.encode("idna")  # as Python does before it looks a name up
    except ValueError:  # of which UnicodeError is one
        raise ValueError(f"no host can have such a name; write {form}") from None
    return host


def read_port(digits: str, hint: str) -> int:
    """A port; raises ValueError, which ends with the hint, where there can be no such port."""
    if len(digits) > len(str(_HIGHEST_PORT)) or not 1 <= int(digits) <= _HIGHEST_PORT:
        raise ValueError(f"a port is a number from 1 to {_HIGHEST_PORT}; {hint}")
    return int(digits)


def _name(name: str) -> str:
    if not name:
        raise ValueError("the name of the database is missing; write host:5432/name")
    if "?" in name:
        raise ValueError("nothing follows the name in host:5432/name; TLS is set by PGSSLMODE and the like")
    if re.search(r"[/\s\0\ud800-\udfff]", name):  # the last are bytes that are not UTF-8
        raise ValueError("the name of a PostgreSQL database can have no slash and no blank here; write host:5432/name")
    return name
