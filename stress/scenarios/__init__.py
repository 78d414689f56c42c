"""The scenarios: what clients do to a server at once, and what must hold. `ALL` names them."""

from __future__ import annotations

from stress.play import Scenario
from stress.scenarios.appends import Appends, AppendsToStrings
from stress.scenarios.bank import Bank
from stress.scenarios.carousel import Carousel
from stress.scenarios.counters import Counters
from stress.scenarios.dances import Copies, Moves, Renames, Rounds
from stress.scenarios.handover import HandOver
from stress.scenarios.histories import Lists, Registers, Sets
from stress.scenarios.snapshots import Order, Snapshots

ALL: tuple[type[Scenario], ...] = (
    Bank,
    Snapshots,
    Order,
    Counters,
    Registers,
    Sets,
    Lists,
    Appends,
    AppendsToStrings,
    Renames,
    Moves,
    Rounds,
    Copies,
    HandOver,
    Carousel,
)
