"""Every case of the tables, on redis-server and on the subject, reply by reply.

With several shard threads a case runs in every way it can (RESP2 and RESP3; one by one, pipelined, in
MULTI); with one thread, where the paths are fewer, in two of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.differential import (
    cases_acl,
    cases_bitmaps,
    cases_connection,
    cases_dump,
    cases_expiry,
    cases_functions,
    cases_generic,
    cases_geo,
    cases_hashes,
    cases_hyperloglog,
    cases_lists,
    cases_lists_blocking,
    cases_memory,
    cases_scripting,
    cases_server,
    cases_sets,
    cases_sort,
    cases_sorted_sets,
    cases_sorted_sets_multi,
    cases_streams,
    cases_streams_blocking,
    cases_streams_groups,
    cases_strings,
    cases_tracking,
    cases_transactions,
)
from tests.differential.capabilities import SUBJECTS, available
from tests.differential.case import Case
from tests.differential.runner import Way, run, usual_ways, ways
from tests.servers import Server

BOOKS = (
    cases_strings,
    cases_bitmaps,
    cases_hyperloglog,
    cases_sets,
    cases_hashes,
    cases_sorted_sets,
    cases_sorted_sets_multi,
    cases_lists,
    cases_lists_blocking,
    cases_streams,
    cases_streams_groups,
    cases_streams_blocking,
    cases_generic,
    cases_dump,
    cases_expiry,
    cases_connection,
    cases_transactions,
    cases_server,
    cases_memory,
    cases_sort,
    cases_geo,
    cases_functions,
    cases_scripting,
    cases_acl,
    cases_tracking,
)

ALL_WAYS = "NOGIL_DF_ALL_WAYS" in os.environ
"""Whether every case is run in every way, on one thread too; it takes twice as long."""


def _ways(name: str, case: Case) -> list[Way]:
    if ALL_WAYS:
        return ways(case)
    # One thread has fewer paths: one way is enough.
    return usual_ways(case)[-1:] if name == "threads1" else usual_ways(case)


def _cases() -> Iterator[object]:
    for name in SUBJECTS:
        for module in BOOKS:
            for case in module.BOOK.cases.values():
                if case.needs <= available():
                    for way in _ways(name, case):
                        yield pytest.param(name, case, way, id=f"{name}-{way}-{case.name}")


@pytest.mark.parametrize(("name", "case", "way"), list(_cases()))
def test_replies_are_those_of_redis(
    name: str, case: Case, way: Way, reference: Server, server_named: Callable[[str], Server]
) -> None:
    differing = run(case, way, reference, server_named(name))
    assert not differing, "\n".join([f"{case.name} ({way})", *differing])
