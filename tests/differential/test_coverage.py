"""No command and no option of the table is without a differential case, unless it is named with a reason."""

from __future__ import annotations

from tests.differential.coverage import WITHOUT, commands, missing, used


def test_every_command_and_option_is_used() -> None:
    """What is named to be without a case has none, and all else has one."""
    unused, options = missing()
    assert sorted([*unused, *options]) == sorted(WITHOUT)


def test_uses_are_found() -> None:
    """Of the scripts, the tables of what is newer, and the sources of the other tests."""
    lines = used()
    assert ("SET", "K", "B", "IFNE", "X") in lines
    assert ("CLUSTER", "SLOTS") in lines
    assert ("GEOADD", "G", "1") in lines
    assert len(commands()) > 350
