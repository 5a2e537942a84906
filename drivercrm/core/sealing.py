"""Secrets that must be read again are kept encrypted, with keys that can be replaced (spec §11)."""

from base64 import urlsafe_b64encode
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from drivercrm.core.errors import Refused

# Every sealed text begins so: Fernet's version byte and the first bytes of its time.
SEALED = "gAAAA"


class Unreadable(Refused):
    """The text was sealed with a key that this installation does not have, or was tampered with."""

    def __init__(self) -> None:
        super().__init__(
            "unreadable_secret",
            "A stored secret cannot be read: the encryption key has changed. Ask whoever runs this installation.",
        )


def seal(text: str) -> str:
    """The text, encrypted with the newest key."""
    return _sealer(*_keys()).encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """The text that was sealed with any of the keys. Raises Unreadable."""
    try:
        return _sealer(*_keys()).decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unreadable from error


def is_sealed(text: str) -> bool:
    """Whether a stored text is sealed already; neither base32 nor hexadecimal begins like that."""
    return text.startswith(SEALED)


def _keys() -> tuple[str, ...]:
    """The newest first. The session secret comes last: it reads what was sealed before there were other keys."""
    return (*settings.ENCRYPTION_KEYS, settings.SECRET_KEY)


@lru_cache(maxsize=4)
def _sealer(*keys: str) -> MultiFernet:
    def derived(key: str) -> Fernet:
        # a key of its own, so that nothing signed with the session secret tells anything about it
        kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"drivercrm.sealing")
        return Fernet(urlsafe_b64encode(kdf.derive(key.encode())))

    return MultiFernet([derived(key) for key in keys])
