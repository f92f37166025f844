"""Fixtures for tests of the database."""

from collections.abc import Iterator

import pytest

from tests.support.servers import PostgresServer


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server that tests may kill."""
    server = PostgresServer(own=True)
    server.start()
    server.create_database("darkroom")
    yield server
    server.stop()
