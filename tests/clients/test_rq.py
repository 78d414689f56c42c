"""RQ: jobs that are queued here and done by a worker in this process, until there is none left."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import pytest
import redis
from rq import Queue, SimpleWorker
from rq.job import Job, JobStatus

from tests.patience import PATIENCE
from tests.servers import NogilServer


@pytest.fixture
def connection(server: NogilServer) -> Iterator[redis.Redis]:
    """A client for RQ, which encodes and decodes itself."""
    with redis.Redis(server.host, server.port, socket_timeout=PATIENCE) as it:
        yield it


def _work(*queues: Queue) -> bool:
    return SimpleWorker(list(queues), connection=queues[0].connection).work(burst=True, logging_level="ERROR")


def test_jobs_are_done_in_order_of_the_queues(connection: redis.Redis) -> None:
    high, low = Queue("high", connection=connection), Queue("low", connection=connection)
    sums = [low.enqueue(operator.add, number, 1) for number in range(5)]
    urgent = high.enqueue(operator.mul, 6, 7)
    assert len(low) == 5
    assert _work(high, low)
    assert urgent.return_value() == 42
    assert [job.return_value() for job in sums] == [1, 2, 3, 4, 5]
    assert [job.get_status() for job in sums] == [JobStatus.FINISHED] * 5
    ended = [Job.fetch(job.id, connection=connection).ended_at for job in (urgent, *sums)]
    assert ended == sorted(ended)
    assert low.finished_job_registry.count == 5
    assert len(low) == 0


def test_a_job_that_fails_and_one_that_waits_for_another(connection: redis.Redis) -> None:
    queue = Queue(connection=connection)
    failing = queue.enqueue(operator.truediv, 1, 0)
    first = queue.enqueue(operator.add, 1, 2)
    second = queue.enqueue(operator.add, 3, 4, depends_on=first)
    assert second.get_status() == JobStatus.DEFERRED
    assert _work(queue)
    assert failing.get_status() == JobStatus.FAILED
    assert "ZeroDivisionError" in failing.latest_result().exc_string
    assert queue.failed_job_registry.get_job_ids() == [failing.id]
    assert second.return_value() == 7
    assert Job.fetch(first.id, connection=connection).is_finished


def test_a_job_is_canceled_or_deleted(connection: redis.Redis) -> None:
    queue = Queue(connection=connection)
    canceled, deleted = queue.enqueue(operator.add, 1, 1), queue.enqueue(operator.add, 2, 2)
    canceled.cancel()
    deleted.delete()
    assert queue.job_ids == []
    assert _work(queue) is False
    assert queue.canceled_job_registry.get_job_ids() == [canceled.id]
    assert not Job.exists(deleted.id, connection=connection)
