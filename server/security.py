"""Secrets: how they are made, hashed and compared."""

import hashlib
import secrets

from pwdlib import PasswordHash

PASSWORD_MIN = 10  # characters
PASSWORD_MAX = 1000  # characters: argon2 reads all of it
SECRET_BYTES = 32

_HASHER = PasswordHash.recommended()  # argon2id
# Checked where there is no account, so that an unknown address takes as long as a wrong password.
_NOBODY = _HASHER.hash(secrets.token_urlsafe(SECRET_BYTES))


def new_secret(prefix: str = "") -> str:
    """Give a bearer secret that nobody guesses; `prefix` tells leak scanners and people what it opens."""
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def secret_sha256(secret: str) -> str:
    """Give what the database keeps of a bearer secret. It is random, so one round is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def hash_password(password: str) -> str:
    """Give the argon2id hash of a password."""
    return _HASHER.hash(password)


def is_text(value: str) -> bool:
    """Every database and hash takes it: no NUL, and no half of a surrogate pair, which JSON can carry."""
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def password_is(password: str, password_hash: str | None) -> bool:
    """Compare; takes equally long where there is no hash."""
    if len(password) > PASSWORD_MAX or not is_text(password):
        return False
    right = _HASHER.verify(password, password_hash or _NOBODY)
    return right and password_hash is not None
