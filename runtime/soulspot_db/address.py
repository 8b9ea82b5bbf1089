"""Which PostgreSQL server `DATABASE=host:5432/name` and its other forms mean."""

import re
from ipaddress import IPv6Address
from typing import NamedTuple

__all__ = ["ServerAddress", "means_server", "read_address"]

# What comes before the first slash has a port, in digits.
_MEANT = re.compile(r"[^/]*:[0-9]+(?=[,/]|$)")
_SERVER = re.compile(r"(?P<host>\[[^\[\]]+\]|[^:\[\]\s\0]+)(?::(?P<port>[0-9]+))?")
_SOCKET = re.compile(r"(?P<folder>/[^\s\0:]+)(?::(?P<port>[0-9]+))?/(?P<name>[^/:]*)")
_DEFAULT_PORT = 5432
_HIGHEST_PORT = 65535


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
        return ServerAddress([found["folder"]], [_port(found["port"] or str(_DEFAULT_PORT))], _name(found["name"]))
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
        hosts.append(_host(found["host"]))
        ports.append(found["port"])
    given = [_port(port) for port in ports if port is not None]
    if not given:
        raise ValueError("the port is missing; write host:5432/name")
    if len(given) == len(hosts):
        return hosts, given
    if len(given) == 1 and ports[-1] is not None:  # as libpq has it, one is for all
        return hosts, given * len(hosts)
    raise ValueError("of several hosts each has its port, or one is for all: h1:5432,h2:5432/name or h1,h2:5432/name")


def _host(host: str) -> str:
    try:
        if host.startswith("["):
            return str(IPv6Address(host[1:-1]))
        host.encode("idna")  # as Python does before it looks a name up
    except ValueError:  # of which UnicodeError is one
        raise ValueError("no host can have such a name; write host:5432/name, or [::1]:5432/name") from None
    return host


def _port(digits: str) -> int:
    if len(digits) > len(str(_HIGHEST_PORT)) or not 1 <= int(digits) <= _HIGHEST_PORT:
        raise ValueError(f"a port is a number from 1 to {_HIGHEST_PORT}; PostgreSQL's own is {_DEFAULT_PORT}")
    return int(digits)


def _name(name: str) -> str:
    if not name:
        raise ValueError("the name of the database is missing; write host:5432/name")
    if "?" in name:
        raise ValueError("nothing follows the name in host:5432/name; TLS is set by PGSSLMODE and the like")
    if re.search(r"[/\s\0\ud800-\udfff]", name):  # the last are bytes that are not UTF-8
        raise ValueError("the name of a PostgreSQL database can have no slash and no blank here; write host:5432/name")
    return name
