"""Encrypted fields: Fernet with several keys, of which the newest writes and all of them read."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import SecretStr

from soulspot_db.errors import ConfigurationError, DecryptionFailedError
from soulspot_db.language.field import FieldSpec
from soulspot_db.language.types import TYPES

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

__all__ = ["Cipher", "State", "UnreadableError", "decoder", "decryption_failed", "encoder"]

Convert = Callable[[Any], Any]
State: TypeAlias = Literal["newest", "older", "plain"]
"""What a value is encrypted with: the newest key, an older one, or none."""

_TOKEN = re.compile(rb"[A-Za-z0-9_-]+={0,2}")
# A version, a time, an initialisation vector and a signature; what is encrypted comes in blocks.
_VERSION, _FRAME, _BLOCK = 0x80, 57, 16


class UnreadableError(Exception):
    """A stored value that no key opens; `is_plain`: it was never encrypted. `field` is its field, once that is known."""

    def __init__(self, *, is_plain: bool) -> None:
        super().__init__("a value is plain" if is_plain else "no key opens a value")
        self.is_plain = is_plain
        self.field = ""


class Cipher:
    """Encrypts and decrypts for one database.

    Args:
        keys: Fernet keys, the newest first; none where no entity has an encrypted field.
    """

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._keys = keys

    def require(self, entity_type: str) -> None:
        """Make sure that values of an entity can be encrypted.

        Raises:
            ConfigurationError: there is no key, or the library is not installed.
        """
        if not self._keys:
            raise ConfigurationError(
                f"{entity_type} has encrypted fields, and ENCRYPTION_KEYS is not set",
                "Make a key, once: soulspot-db keys new",
                "Set ENCRYPTION_KEYS to it, without DATABASE_ before that name, wherever the program and its commands run.",
                "Keep a copy in a safe place: without it nobody reads what it encrypted.",
                entity_type=entity_type,
            )
        try:
            self._fernets  # noqa: B018 - only who has encrypted fields needs the library
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != "cryptography":
                raise
            raise ConfigurationError(
                f"{entity_type} has encrypted fields, and the library that encrypts is not installed",
                "Install it: pip install 'soulspot-db[encryption]'",
                entity_type=entity_type,
            ) from error

    @cached_property
    def _fernets(self) -> "tuple[Fernet, ...]":
        from cryptography.fernet import Fernet  # noqa: PLC0415 - an extra

        return tuple(Fernet(key.get_secret_value()) for key in self._keys)

    def encrypt(self, plain: bytes) -> bytes:
        """A token of the newest key, another one each time."""
        return self._fernets[0].encrypt(plain)

    def decrypt(self, token: bytes) -> bytes:
        """What a token says.

        Raises:
            UnreadableError: it was not made with any of the keys.
        """
        return self._opened(token)[1]

    def look(self, stored: bytes) -> tuple[State, bytes]:
        """What is stored, and what it says.

        Raises:
            UnreadableError: it is encrypted, with none of the keys.
        """
        try:
            number, plain = self._opened(stored)
        except UnreadableError as problem:
            if problem.is_plain:
                return "plain", stored
            raise
        return "older" if number else "newest", plain

    def _opened(self, token: bytes) -> tuple[int, bytes]:
        """Which of the keys opens a token, and what it says."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415 - an extra

        for number, fernet in enumerate(self._fernets):
            try:
                return number, fernet.decrypt(token)
            except InvalidToken:
                continue
        raise UnreadableError(is_plain=not _is_token(token))


def _is_token(stored: bytes) -> bool:
    """Whether a value looks like what Fernet makes, whatever the key."""
    if len(stored) % 4 or not _TOKEN.fullmatch(stored):
        return False
    decoded = urlsafe_b64decode(stored)
    return decoded[0] == _VERSION and len(decoded) > _FRAME and (len(decoded) - _FRAME) % _BLOCK == 0


def encoder(field: FieldSpec, cipher: Cipher) -> Convert:
    """Makes what is stored of a value of an encrypted field, on every database the same."""
    if field.type == "bytes":
        return cipher.encrypt
    make = TYPES[field.type].sqlite.encode
    dump: Convert = make(field) if make else str
    return lambda value: cipher.encrypt(dump(value).encode()).decode("ascii")


def decoder(field: FieldSpec, cipher: Cipher) -> Convert:
    """Makes the value of an encrypted field of what is stored.

    The function that is returned raises UnreadableError where no key opens it.
    """
    make = TYPES[field.type].sqlite.decode
    load: Convert = make(field) if make else str

    def decode(stored: str | bytes) -> Any:
        try:
            plain = cipher.decrypt(stored if isinstance(stored, bytes) else stored.encode())
        except UnreadableError as problem:
            problem.field = field.name
            raise
        try:
            return plain if field.type == "bytes" else load(plain.decode())
        except ValueError:
            pass  # which may hold what was decrypted, and would be kept as the context of what is raised here
        raise ValueError(f"what {field.name} was encrypted from is no {field.type}")

    return decode


def decryption_failed(entity_type: str, problem: UnreadableError, entity_id: str | None) -> DecryptionFailedError:
    """The error for a value that cannot be read; `entity_id` is its row's key, None where nobody knows or may know it."""
    if problem.is_plain:
        message = f"{problem.field} of a stored row of {entity_type} is not encrypted"
        steps = ["Encrypt what was stored before the field was encrypted: soulspot-db keys rotate"]
    else:
        message = f"no key in ENCRYPTION_KEYS opens {problem.field} of a stored row of {entity_type}"
        steps = [
            "Add the key that it was written with behind the others in ENCRYPTION_KEYS, and start again.",
            "Then run `soulspot-db keys rotate`, after which that key is not needed any more.",
        ]
    context = {} if entity_id is None else {"entity_id": entity_id}
    return DecryptionFailedError(message, *steps, entity_type=entity_type, field=problem.field, **context)
