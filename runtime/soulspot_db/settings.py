"""What the person who runs SoulSpot can set, from the environment or `.env`."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from soulspot_db.address import ServerAddress, means_server, read_address
from soulspot_db.cache.address import CacheAddress, read_cache_address
from soulspot_db.errors import ConfigurationError
from soulspot_db.language.nearest import nearest
from soulspot_db.language.reasons import reason
from soulspot_db.misspelt import warn_of_misspelt

__all__ = ["DatabaseSettings"]

_FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]=")
# SQLite counts its timeout in milliseconds, in 32 bits.
_Seconds = Annotated[float, Field(gt=0, le=1_000_000)]


def _variable(name: str) -> Any:
    return AliasChoices(name, name.lower())


class DatabaseSettings(BaseSettings):
    """All settings, with their defaults.

    `DATABASE=/config/soulspot.db` is SQLite, `DATABASE=host:5432/soulspot` PostgreSQL, `CACHE=host:6379/0` Redis. Every
    attribute has a variable: DATABASE_ and its name in capitals, once where the name begins with it; but for ENCRYPTION_KEYS, for
    `redis`, which is CACHE, and for `development`, which is SOULSPOT_DB_DEV. Durations are in seconds.

    Raises:
        ConfigurationError: a value cannot mean anything; the message names the variable and shows the right form.
    """

    model_config = SettingsConfigDict(
        env_prefix="DATABASE_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    database: str | None = Field(None, validation_alias=_variable("DATABASE"), exclude=True, repr=False)
    database_path: Path = Field(Path("/config/soulspot.db"), validation_alias=_variable("DATABASE_PATH"))
    database_type: Literal["sqlite", "postgresql"] = Field("sqlite", validation_alias=_variable("DATABASE_TYPE"))
    user: str | None = None
    password: SecretStr | None = None
    encryption_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), validation_alias=_variable("ENCRYPTION_KEYS")
    )
    redis: str | None = Field(None, validation_alias=_variable("CACHE"))
    redis_password: SecretStr | None = Field(None, validation_alias=_variable("CACHE_PASSWORD"))
    redis_tls: bool = Field(False, validation_alias=_variable("CACHE_TLS"))
    redis_prefix: Annotated[str, Field(pattern="^[A-Za-z0-9_.-]{1,64}$")] = Field(
        "soulspot", validation_alias=_variable("CACHE_PREFIX")
    )
    connection_pool_size: int = Field(10, ge=1, le=100)
    max_overflow: int = Field(20, ge=0)
    pool_timeout: _Seconds = 30.0
    query_timeout: _Seconds = 30.0
    idle_transaction_timeout: _Seconds = 60.0
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    inline_reads: bool = True
    auto_migrate: bool = False
    cache_ttl: _Seconds = 300.0
    cache_max_size: int = Field(1000, ge=0)
    single_instance: bool = False
    cache_recheck: float = Field(1.0, ge=0, le=1_000_000)
    slow_query_threshold: _Seconds = 1.0
    slow_transaction_threshold: _Seconds = 5.0
    n_plus_one_threshold: Annotated[int, Field(ge=0)] = 10
    enable_query_logging: bool = True
    query_log_format: Literal["text", "json"] = "text"
    log_parameters: bool = False
    backup_path: Path | None = None
    development: bool = Field(False, validation_alias=_variable("SOULSPOT_DB_DEV"))

    def __init__(self, **values: Any) -> None:
        unknown = [name for name in values if not name.startswith("_") and name.lower() not in _names()]
        if unknown:
            names = DatabaseSettings.model_fields
            meant = nearest(unknown[0].lower(), names)
            raise ConfigurationError(
                f"there is no setting {unknown[0]!r}" + (f"; {meant}" if meant else ""),
                f"Use one of {', '.join(names)}.",
            )
        try:
            super().__init__(**values)
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False)
            listed = "; ".join(_variable_of(item["loc"]) + reason(item) for item in found)
            raise ConfigurationError(
                f"the database settings are not valid: {listed}",
                "Correct the variables named above, in the environment or in .env.",
                "https://docs.soulspot.app/configuration lists every setting with its default.",
            ) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - as pydantic-settings calls it
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources as they are, looked through for variables that are misspelt."""
        for source in (env_settings, dotenv_settings):
            if isinstance(source, EnvSettingsSource):
                warn_of_misspelt(source.env_vars, _names())
        return init_settings, env_settings, dotenv_settings, file_secret_settings

    @field_validator("encryption_keys", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return [key for part in value.split(",") if (key := part.strip())] if isinstance(value, str) else value

    @field_validator("encryption_keys")
    @classmethod
    def _are_keys(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for number, key in enumerate(value, 1):
            if not _FERNET_KEY.fullmatch(key.get_secret_value()):
                raise ValueError(
                    f"number {number} is no key, which has 44 characters; make one with `soulspot-db keys new`, "
                    "and write commas between several, the newest first"
                )
        return value

    @field_validator("user", "password", "redis_password")
    @classmethod
    def _can_be_sent(cls, value: str | SecretStr | None) -> str | SecretStr | None:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value or ""
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
            raise ValueError("it has a NUL character, or bytes that are not UTF-8")
        return value

    @field_validator("redis", mode="before")
    @classmethod
    def _is_off_where_empty(cls, value: object) -> object:
        # As `CACHE=${CACHE:-}` of a compose file has it; the only way to switch off what `.env` says.
        return None if value == "" else value

    @field_validator("redis")
    @classmethod
    def _leads_to_redis(cls, value: str | None) -> str | None:
        if value is not None:
            read_cache_address(value)
        return value

    @model_validator(mode="after")
    def _read_database(self) -> Self:
        if self.database is None:
            return self
        _no_url(self.database)
        if not self.database.strip():
            raise ValueError("DATABASE is empty; write DATABASE=/config/soulspot.db")
        if "database_type" not in self.model_fields_set:
            _decide(self, "database_type", "postgresql" if means_server(self.database) else "sqlite")
        if self.database_type == "sqlite" and "database_path" not in self.model_fields_set:
            _decide(self, "database_path", Path(self.database))
        return self

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.database_type == "postgresql":
            try:
                read_address(self.database or "/")
            except ValueError as error:
                is_stated = "database_type" in self.model_fields_set
                file = "" if is_stated else "; before a SQLite file of that name write ./, or set DATABASE_TYPE=sqlite"
                raise ValueError(f"{error}{file}") from None
        return self

    @model_validator(mode="after")
    def _needs_a_file(self) -> Self:
        _no_url(str(self.database_path))
        if "\0" in str(self.database_path):
            raise ValueError("a path cannot contain NUL characters")
        if str(self.database_path) != str(self.database_path).strip() or self.database_path.parts[:1] == ("~",):
            raise ValueError(
                "the path in DATABASE or DATABASE_PATH begins or ends with a blank, or with ~, which is not expanded"
            )
        if self.database_type == "sqlite" and str(self.database_path) == ":memory:":
            raise ValueError("':memory:' cannot be shared by several connections; use a file in a temporary folder")
        return self

    @property
    def servers(self) -> ServerAddress:
        """The hosts of PostgreSQL or the folder of its socket, their ports, and the database's name. Internal."""
        try:
            return read_address(self.database or "/")
        except ValueError as error:
            raise ConfigurationError(f"DATABASE names no server: {error}", "Write DATABASE=host:5432/name.") from None

    @property
    def cache_address(self) -> CacheAddress | None:
        """The Redis server that is the second tier of the cache, if there is one. Internal."""
        return None if self.redis is None else read_cache_address(self.redis)

    @property
    def address(self) -> str:
        """Where the database is, as errors name it; never with a password."""
        if self.database_type == "sqlite":
            return str(self.database_path)
        is_socket = self.servers.hosts[0].startswith("/")
        return str(self.database) if is_socket else str(self.database).removeprefix("/")

    @property
    def database_url(self) -> str:
        """The address in SQLAlchemy's form, without the password. Internal."""
        if self.database_type == "sqlite":
            return f"sqlite+aiosqlite:///{self.database_path.absolute()}"
        hosts, ports, name = self.servers
        # The form that has the ports apart is the only one that takes colons, in IPv6, and the folder of a socket.
        return f"postgresql+asyncpg:///{name}?host={quote(','.join(hosts))}&port={','.join(map(str, ports))}"


def _decide(settings: DatabaseSettings, name: str, value: object) -> None:
    # Past the model's own __setattr__: settings are frozen for everybody else.
    object.__setattr__(settings, name, value)


def _no_url(text: str) -> None:
    # A Path has made one slash of several.
    if re.match(r"[a-z][a-z0-9+]+:/", text, re.IGNORECASE):
        raise ValueError(
            "a URL is not taken any more; write DATABASE=/config/soulspot.db for SQLite, "
            "or DATABASE=host:5432/name with DATABASE_USER and DATABASE_PASSWORD for PostgreSQL"
        )


def _names() -> set[str]:
    variables = {"database", "database_path", "database_type", *_VARIABLES.values()}
    return variables | set(DatabaseSettings.model_fields)


_VARIABLES = {
    "redis": "cache",
    "redis_password": "cache_password",
    "redis_tls": "cache_tls",
    "redis_prefix": "cache_prefix",
    "development": "soulspot_db_dev",
}
_OWN = frozenset(name.upper() for name in _VARIABLES.values())


def _variable_of(loc: tuple[int | str, ...]) -> str:
    """The variable that a value would be set by, as the person who runs the program knows it."""
    if not loc:
        return ""
    name = _VARIABLES.get(str(loc[0]), str(loc[0])).upper()
    own = name in _OWN or name == "ENCRYPTION_KEYS" or name.startswith("DATABASE")
    return f"{name}: " if own else f"DATABASE_{name}: "
