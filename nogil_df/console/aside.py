"""A thread beside the shard threads, for work that touches no shard and takes milliseconds.

A page of metrics is thousands of lines of text, and importing what makes it takes longer than that: clients
of a shard thread must not wait for either. So the shard threads hand plain values over and get the result
back as a message. The thread is started by the first job.

Rejected: a pool (scrapes come every few seconds), and a thread for each job.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from nogil_df.base.crash import log_crash
from nogil_df.vll.engine import deliver

ASIDE = -1
"""The number that the thread gives itself in answers, where a shard thread gives its index."""

Job = tuple[Callable[[Any], Any], Any, int, Any]


class Aside:
    """The thread and its jobs.

    Args:
        submit: sends a message to a shard thread, ``submit(thread, message)``; may be called by any thread.
    """

    def __init__(self, submit: Callable[[int, tuple[Any, ...]], None]) -> None:
        self._submit = submit
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, task: Callable[[Any], Any], argument: Any, thread: int, token: Any) -> None:
        """Run ``task(argument)`` here, then ``token.on_answer(ASIDE, result)`` on a shard thread.

        A crash is logged, and its result is a ReplyError. Returns at once.
        """
        if self._thread is None:
            self._start()
        self._jobs.put((task, argument, thread, token))

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="aside", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            task, argument, thread, token = job
            self._submit(thread, (deliver, token, ASIDE, attempt(task, argument)))
            # What was handed over is freed by those who made it, and not by this thread at the next job.
            del job, task, argument, token

    def stop(self) -> None:
        """End the thread after the jobs it has. Idempotent."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join(5.0)


def attempt(task: Callable[[Any], Any], argument: Any) -> Any:
    """The result of a job, or the ReplyError that a crash becomes."""
    try:
        return task(argument)
    except Exception:
        return log_crash(task.__qualname__, sys.exc_info())
