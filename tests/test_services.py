"""The services that other tests stand on are the real ones."""

import psycopg
import pytest
import redis

from tests.conftest import Backend


@pytest.mark.postgres
@pytest.mark.redis
def test_production_is_postgresql_and_redis(production_backend: Backend) -> None:
    address = production_backend.database_url.replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        row = connection.execute("SELECT version()").fetchone()
    assert row is not None
    assert row[0].startswith("PostgreSQL")
    with redis.Redis.from_url(production_backend.broker_url) as client:
        assert "redis_version" in client.info("server")
