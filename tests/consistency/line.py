"""First come, first served: who waited longer for a key gets the earlier element of it, whoever pushes what
where.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True)
class Waiting:
    """One who waits.

    Attributes:
        keys: what for.
        got: (key, element), or None while it still waits.
    """

    keys: Sequence[bytes]
    got: tuple[bytes, bytes] | None = None


def check_line(line: Sequence[Waiting], pushed: dict[bytes, list[bytes]]) -> None:
    """Judge a line.

    Args:
        line: in the order in which they began to wait, one after the other.
        pushed: the elements of every key in their order; each was pushed after everybody waited.

    Raises:
        AssertionError: somebody was passed over, got an element out of order, or one that was another's.
    """
    for key, elements in pushed.items():
        served = [one.got[1] for one in line if one.got is not None and one.got[0] == key]
        # Nobody took an element that a longer wait had a right to, and nothing was skipped.
        assert served == elements[: len(served)], f"{key!r}: {served} of {elements}"
        if len(served) < len(elements):
            passed_over = [one for one in line if one.got is None and key in one.keys]
            assert not passed_over, f"{key!r} has elements, and {passed_over} wait for it"
    for at, one in enumerate(line):
        if one.got is None:
            later = [other for other in line[at + 1 :] if other.got is not None and other.got[0] in one.keys]
            assert not later, f"{one} was passed over by {later}"
        else:
            assert one.got[0] in one.keys, f"{one} got what it did not ask for"
