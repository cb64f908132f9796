"""What an operator can set: the only place of the server that reads the environment (MOOD_*)."""

import os
import secrets
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRET_BYTES = 32


class Settings(BaseSettings):
    """The server's settings. Every one has a default that works on one machine."""

    model_config = SettingsConfigDict(env_prefix="MOOD_", env_ignore_empty=True, extra="ignore", frozen=True)

    home: Path = Field(default=Path("mood-home"), description="folder that holds all that the server keeps")
    database_url: str = Field(
        default_factory=lambda given: f"sqlite:///{given['home'].absolute() / 'mood.db'}",
        description="SQLAlchemy address of the database; empty: SQLite in the home folder",
    )
    broker_url: str = Field(
        default_factory=lambda given: f"filesystem://{given['home'].absolute() / 'broker'}",
        description="Celery broker (redis://…); empty: a queue in the home folder",
    )
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on")
    public_url: str = Field(
        default_factory=lambda given: f"http://{given['host']}:{given['port']}",
        description="how browsers reach the server; empty: http://host:port",
    )
    secret: SecretStr | None = Field(default=None, description="signs forms; empty: generated once into home/secret")
    sweep_every_s: float = Field(default=2.0, gt=0, description="seconds between two sweeps")

    @property
    def store_dir(self) -> Path:
        """Folder of the object store."""
        return self.home / "store"

    def signing_key(self) -> str:
        """The secret that was set, or the one in home/secret, made at the first call (mode 0600)."""
        if self.secret is not None:
            return self.secret.get_secret_value()
        path = self.home / "secret"
        if not path.exists():
            make_secret(path)
        return path.read_text().strip()


def make_secret(path: Path) -> None:
    """Write a new secret; of two servers that start at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(SECRET_BYTES))
    try:
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
