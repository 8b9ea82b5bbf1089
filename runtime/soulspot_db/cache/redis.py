"""Redis as the second tier: one connection, one pipeline at a time. The only module of the cache that imports redis."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, cast

from redis import exceptions
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from soulspot_db.cache.batch import Batch, Found, UnreachableError
from soulspot_db.errors import ConfigurationError
from soulspot_db.settings import DatabaseSettings

__all__ = ["RedisConnection"]

_OLDEST = (6, 2)
_STAMP_LIFE = 86_400  # seconds; a stamp that ends, ends what was read with it
# The last is what becomes of bytes that are not those of Redis.
_NO_ANSWER = (exceptions.RedisError, OSError, ValueError)
_PATIENCE = 1.0  # seconds to connect; whoever waits for it has less


class RedisConnection:
    """One connection to one server, made when it is needed.

    Every key begins with the id that the server took when it started, as this very connection was told: a pool, or a client
    that connects again by itself, would send keys of one run to another.

    Args:
        settings: where the server is.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._connection: Connection | None = None
        self._database = ""
        self._prefix = b""

    async def check(self, database: str) -> None:
        """Connect, for the answers of this database, which programs share that name it alike.

        Raises:
            UnreachableError: nobody answered.
            ConfigurationError: the server cannot be used.
        """
        self._database = database
        await self._connect()

    async def run(self, batch: Batch) -> Found:
        """Do what is in a batch, in its order.

        Raises:
            UnreachableError: nobody answered, or not as is needed.
            ConfigurationError: the server cannot be used.
        """
        if self._connection is None or not self._connection.is_connected:
            await self._connect()
        prefix, names = self._prefix, list(batch.names)
        commands: list[tuple[Any, ...]] = []
        if batch.drops:
            # One command, so that whoever looks finds all of them or none.
            commands.append(("UNLINK", *[prefix + name for name in batch.drops]))
        commands += [("SET", prefix + name, secrets.token_bytes(16), "NX", "EX", _STAMP_LIFE) for name in batch.stamps]
        commands += [
            ("SET", prefix + name, answer, "PX", max(int(ttl * 1000), 1))
            for name, (answer, ttl) in batch.answers.items()
        ]
        if batch.wants_size or not names:  # something in any case, to hear that the server is there
            commands.append(("DBSIZE",))
        if names:
            commands.append(("MGET", *[prefix + name for name in names]))
        answers = await self._answers(commands)
        found = answers.pop() if names else []
        batch.size = int(answers[-1]) if batch.wants_size else None
        return dict(zip(names, found, strict=True))

    async def room(self) -> tuple[int, str]:
        """How many bytes the server may keep, 0 for no limit, and what it does once they are used up; after `check`.

        Raises:
            UnreachableError: nobody answered.
        """
        (told,) = await self._answers([("INFO", "memory")])
        memory = _told(told)
        return int(memory.get("maxmemory", 0)), memory.get("maxmemory_policy", "")

    async def _answers(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        connection = self._connection
        if connection is None:
            raise UnreachableError("the connection was closed")
        answers: list[Any] = []
        try:
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            for _ in commands:
                try:
                    answers.append(await connection.read_response(disconnect_on_error=False))
                except exceptions.OutOfMemoryError:
                    # Only what is to be kept needs memory: a stamp that is not there is missed at once.
                    answers.append(None)
        except (exceptions.NoPermissionError, exceptions.ReadOnlyError) as error:
            raise self._forbids(error) from error
        except _NO_ANSWER as error:
            raise UnreachableError(str(error)) from error
        return answers

    async def _connect(self) -> None:
        await self.close()
        connection = self._connection = self._made()
        try:
            await connection.connect()  # type: ignore[no-untyped-call]
            told: dict[str, str] = {}
            for section in ("server", "replication"):
                await connection.send_command("INFO", section)
                told |= _told(cast("bytes", await connection.read_response()))
        except exceptions.AuthenticationError as error:
            raise ConfigurationError(
                f"Redis at {self._settings.redis} refuses the password, or the lack of one",
                "Set CACHE_PASSWORD to the server's own, or leave it out where the server has none.",
            ) from error
        except exceptions.NoPermissionError as error:
            raise self._forbids(error) from error
        except exceptions.ResponseError as error:
            raise ConfigurationError(
                f"Redis at {self._settings.redis} refuses a connection: {error}",
                "Correct CACHE=host:6379/0; the last number is a database that the server has.",
            ) from error
        except _NO_ANSWER as error:
            raise UnreachableError(str(error)) from error
        self._check(told)
        # Never that of another run: what an earlier one has saved, or another server had, is never found.
        self._prefix = f"{self._settings.redis_prefix}:{self._database}:{told['run_id']}:".encode()
        # What is not permitted is told now, and not by each answer that cannot be kept.
        probe = self._prefix + b"probe"
        await self._answers([("SET", probe, b"", "PX", 1), ("MGET", probe), ("UNLINK", probe), ("DBSIZE",)])

    def _forbids(self, error: Exception) -> ConfigurationError:
        return ConfigurationError(
            f"Redis at {self._settings.redis} answers, and refuses a command: {error}",
            "Permit INFO, SELECT, MGET, SET, UNLINK and DBSIZE to the user 'default', for all keys.",
            "Name the primary in CACHE where this is a replica.",
        )

    def _made(self) -> Connection:
        address, password = self._settings.cache_address, self._settings.redis_password
        if address is None:
            raise ConfigurationError("CACHE names no server", "Write CACHE=host:6379/0.")
        # Said in so many words: older versions of the library believe a certificate whatever name it has.
        tls: dict[str, Any] = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
        kind, more = (SSLConnection, tls) if self._settings.redis_tls else (Connection, {})
        return kind(
            host=address.host,
            port=address.port,
            db=address.number,
            password=None if password is None else password.get_secret_value(),
            protocol=2,
            socket_connect_timeout=_PATIENCE,
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            **more,
        )

    def _check(self, told: Mapping[str, str]) -> None:
        version = told.get("redis_version", "")
        if told.get("redis_mode") == "cluster":
            raise ConfigurationError(
                f"Redis at {self._settings.redis} is part of a Redis Cluster, which cannot be the cache",
                "Use a single server, or a primary with replicas.",
            )
        if told.get("role") == "slave" and told.get("slave_read_only", "1") == "1":
            raise ConfigurationError(
                f"Redis at {self._settings.redis} is a replica, to which nothing can be written",
                "Name the primary in CACHE.",
            )
        if "run_id" not in told or _numbers(version) < _OLDEST:
            raise ConfigurationError(
                f"Redis {version or 'of an unknown version'} at {self._settings.redis} is too old",
                "Use Redis 6.2 or newer, or Valkey.",
            )

    async def close(self) -> None:
        """Disconnect at once."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    def forget(self) -> None:
        """Disconnect without a word to the loop, which has ended."""
        self._connection = None


def _told(info: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    return {name: value for name, _, value in lines}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
