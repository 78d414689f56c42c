"""The checkers on a server with a bug: every bug is found, and without it the same seeds pass.

Which checker finds it matters: the histories alone must give a bug away, to the linearizability checker or
to the cycle search, and not an assertion of the server's.
"""

from __future__ import annotations

import pytest

from stress.cycles import NotSerializable
from stress.linearizability import NotLinearizable
from stress.play import Scenario
from stress.scenarios.appends import Appends, AppendsToStrings
from stress.scenarios.bank import Bank
from stress.scenarios.counters import Counters
from stress.scenarios.dances import Renames
from stress.scenarios.handover import HandOver
from stress.scenarios.histories import Lists, Registers
from stress.scenarios.snapshots import Order, Snapshots
from stress.simulated import simulate
from tests.consistency import bugs
from tests.consistency.bugs import Plant

SEEDS = range(300)
"""Where a bug must show up; all but a few do among the first ten."""

FOUND: list[tuple[Plant, type[Scenario], type[AssertionError]]] = [
    (bugs.dropped_intent, Registers, NotLinearizable),
    (bugs.dropped_intent, Appends, NotSerializable),
    (bugs.dropped_intent, Renames, AssertionError),
    (bugs.ignored_intents, Registers, NotLinearizable),
    (bugs.ignored_intents, AppendsToStrings, NotSerializable),
    (bugs.early_grant, Lists, NotLinearizable),
    (bugs.early_grant, Appends, NotSerializable),
    (bugs.forgotten_refusal, Bank, AssertionError),
    (bugs.early_run, Snapshots, AssertionError),
    (bugs.early_run, Appends, NotSerializable),
    (bugs.unlocked_squash, Order, AssertionError),
    (bugs.unlocked_squash, Registers, NotLinearizable),
    (bugs.unlocked_squash, Appends, NotSerializable),
    (bugs.reordered_batch, Registers, NotLinearizable),
    (bugs.reordered_batch, Order, AssertionError),
    (bugs.reordered_batch, AppendsToStrings, NotSerializable),
    (bugs.deaf_watch, Registers, NotLinearizable),
    (bugs.deaf_watch, Appends, NotSerializable),
    (bugs.worthless_ticket, Lists, NotLinearizable),
    (bugs.worthless_ticket, HandOver, AssertionError),
    (bugs.forgotten_waiters, HandOver, AssertionError),
    (bugs.short_line, HandOver, AssertionError),
    (bugs.shared_scripts, Appends, NotSerializable),
    (bugs.trusting_scripts, Counters, AssertionError),
    (bugs.trusting_scripts, AppendsToStrings, NotSerializable),
]


def finder(scenario: type[Scenario], expected: type[AssertionError]) -> int | None:
    """The first seed whose failure is of the expected type; crashes of the broken server are passed over."""
    for seed in SEEDS:
        try:
            simulate(scenario(), seed)
        except AssertionError as problem:
            if isinstance(problem.__cause__, expected):
                return seed
        except Exception:
            continue
    return None


@pytest.mark.parametrize(
    ("plant", "scenario", "expected"),
    FOUND,
    ids=[f"{plant.__name__}-{scenario.__name__}" for plant, scenario, _ in FOUND],
)
def test_a_bug_is_found(
    monkeypatch: pytest.MonkeyPatch,
    plant: Plant,
    scenario: type[Scenario],
    expected: type[AssertionError],
) -> None:
    """With the bug a seed fails; without it that seed passes, so it is the bug that was found."""
    with monkeypatch.context() as patch:
        plant(patch)
        seed = finder(scenario, expected)
        assert seed is not None, f"nothing found in {len(SEEDS)} seeds"
    simulate(scenario(), seed)
