"""Every case of the tables, in every way it can be run, on redis-server and on the subject."""

from __future__ import annotations

import pytest

from tests.differential import (
    cases_connection,
    cases_expiry,
    cases_generic,
    cases_server,
    cases_strings,
    cases_transactions,
)
from tests.differential.capabilities import available
from tests.differential.case import Case
from tests.differential.runner import Way, run, ways
from tests.servers import Server

BOOKS = (cases_strings, cases_generic, cases_expiry, cases_connection, cases_transactions, cases_server)

CASES = [
    pytest.param(case, way, id=f"{way}-{case.name}")
    for module in BOOKS
    for case in module.BOOK.cases.values()
    if case.needs <= available()
    for way in ways(case)
]


@pytest.mark.parametrize(("case", "way"), CASES)
def test_replies_are_those_of_redis(case: Case, way: Way, reference: Server, subject: Server) -> None:
    differing = run(case, way, reference, subject)
    assert not differing, "\n".join([f"{case.name} ({way})", *differing])
