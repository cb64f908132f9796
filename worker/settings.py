"""What a worker is told by its environment; the only place of this package that reads it."""

import os
import socket
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class WorkerSettings(BaseSettings):
    """MOOD_WORKER_*. A worker holds no database login and no session secret."""

    model_config = SettingsConfigDict(env_prefix="MOOD_WORKER_")

    server_url: str  # https://challenge.example.org
    host_token: SecretStr  # printed by `mood host add`
    data: Annotated[tuple[Path, ...], NoDecode]  # challenge folders, separated by ":" in the environment
    scratch: Path = Path("/var/lib/mood/scratch")  # one folder a run; may be lost at any moment
    broker_url: str  # where doorbells ring: filesystem:///folder or redis://…
    name: str = Field(default_factory=lambda: socket.gethostname() or "worker", pattern=r"^[A-Za-z0-9._-]{1,64}$")
    gpu: str | None = None  # device id as the engine names it; None: this worker has none
    images_kept: int = Field(default=4, ge=1)  # images loaded for jobs that stay for the next job

    @field_validator("data", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [part for part in value.split(os.pathsep) if part] if isinstance(value, str) else value

    @field_validator("data", "scratch")
    @classmethod
    def _absolute(cls, value: Any) -> Any:
        return tuple(path.absolute() for path in value) if isinstance(value, tuple) else value.absolute()
