"""Celery with this server as its broker and for its results; the worker runs in a thread of this process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery, chord, group
from celery.contrib.testing.worker import start_worker

from tests.patience import PATIENCE
from tests.servers import NogilServer


@pytest.fixture
def app(server: NogilServer) -> Iterator[Celery]:
    """An application with three tasks, and a worker that does them one after the other."""
    url = f"redis://{server.host}:{server.port}"
    app = Celery("tests", broker=f"{url}/0", backend=f"{url}/1", set_as_current=False)
    app.conf.update(broker_connection_retry_on_startup=True, worker_hijack_root_logger=False)

    @app.task(name="add", shared=False)
    def add(one: int, other: int) -> int:
        return one + other

    @app.task(name="total", shared=False)
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    @app.task(name="fail", shared=False)
    def fail() -> None:
        raise ValueError("on purpose")

    with start_worker(
        app, pool="solo", perform_ping_check=False, shutdown_timeout=PATIENCE, loglevel="ERROR"
    ):
        yield app
    app.close()


def test_tasks_groups_and_chords(app: Celery) -> None:
    add, total, fail = app.tasks["add"], app.tasks["total"], app.tasks["fail"]
    assert add.delay(2, 3).get(timeout=PATIENCE) == 5
    assert group(add.s(number, 1) for number in range(10))().get(timeout=PATIENCE) == list(range(1, 11))
    assert chord((add.s(number, number) for number in range(5)), total.s())().get(timeout=PATIENCE) == 20
    assert (add.s(1, 2) | add.s(10)).delay().get(timeout=PATIENCE) == 13
    failed = fail.delay()
    with pytest.raises(ValueError, match="on purpose"):
        failed.get(timeout=PATIENCE)
    assert failed.state == "FAILURE"
    assert add.apply_async((4, 5), countdown=0.05).get(timeout=PATIENCE) == 9
