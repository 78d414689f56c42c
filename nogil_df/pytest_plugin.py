"""A plugin for pytest: a real server for tests, without anything to install or to start.

Fixtures:

``nogil_df_server``       the server (`nogil_df.Server`), empty at the start of every test
``redis_client``          a client of redis-py, connected to it
``async_redis_client``    the same for asyncio; for tests run by pytest-asyncio or anyio
``nogil_df_options``      what the server is started with; override it to change that

There is one server for each process that runs tests, so one for each worker of pytest-xdist, on a free
port of loopback. It starts when the first test asks for it and costs that test about 30 ms. The lines
``nogil_df_options`` of pytest's configuration are options of it, one NAME=VALUE a line; ``threads=1`` is
the default.

The module is imported by every run of pytest where nogil-df is installed, so it imports nothing but
pytest until a fixture is used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from nogil_df.embedded import Server

SAID = "nogil_df_options"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the setting."""
    parser.addini(
        SAID, "options of the server of nogil-df, NAME=VALUE, one a line", type="linelist", default=[]
    )


@pytest.fixture(scope="session")
def nogil_df_options(pytestconfig: pytest.Config) -> dict[str, Any]:
    """Keyword arguments of `nogil_df.Server`: those of the configuration; override it for others."""
    options: dict[str, Any] = {"threads": "1"}
    for line in pytestconfig.getini(SAID):
        name, equals, value = line.partition("=")
        if not equals:
            raise pytest.UsageError(f"{SAID}: {line!r} is not of the form NAME=VALUE")
        options[name.strip().replace("-", "_")] = value.strip()
    try:
        options["threads"] = int(options["threads"])
    except ValueError:
        raise pytest.UsageError(f"{SAID}: threads is a whole number") from None
    return options


@pytest.fixture(scope="session")
def _nogil_df_process(nogil_df_options: dict[str, Any]) -> Iterator[Server]:
    """The server of this process."""
    from nogil_df.embedded import Server

    with Server(**nogil_df_options) as server:
        yield server


@pytest.fixture
def nogil_df_server(_nogil_df_process: Server) -> Server:
    """A running server without keys, scripts and functions; it stays until the end of the tests."""
    _nogil_df_process.start()
    _nogil_df_process.flush()
    return _nogil_df_process


@pytest.fixture
def redis_client(nogil_df_server: Server) -> Iterator[redis.Redis]:
    """A client of redis-py, connected to `nogil_df_server`."""
    client = nogil_df_server.client()
    yield client
    client.close()


def _async_fixture() -> Callable[..., Any]:
    """What makes a fixture of an async generator: pytest-asyncio's own where it is, else anyio sees to it."""
    try:
        import pytest_asyncio
    except ImportError:
        return pytest.fixture
    fixture: Callable[..., Any] = pytest_asyncio.fixture
    return fixture


@_async_fixture()
async def async_redis_client(nogil_df_server: Server) -> AsyncIterator[redis.asyncio.Redis]:
    """A client of redis-py for asyncio, connected to `nogil_df_server`."""
    client = nogil_df_server.async_client()
    yield client
    await client.aclose()
