"""How much memory there is to use, told from control groups of both kinds under a root of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from nogil_df.base import machine

MEGABYTE = 1 << 20
UNIFIED = "sys/fs/cgroup"
FIRST = "sys/fs/cgroup/memory"


def root_with(path: Path, groups: str, limits: dict[str, str]) -> str:
    """A root whose /proc/self/cgroup says ``groups``, with files of limits under /sys/fs/cgroup."""
    (path / "proc/self").mkdir(parents=True)
    (path / "proc/self/cgroup").write_text(groups)
    for name, text in limits.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("groups", "limits", "expected"),
    [
        # Of version 2, the group's own.
        ("0::/a/b\n", {f"{UNIFIED}/a/b/memory.max": "104857600\n"}, [100 * MEGABYTE]),
        # One above holds as well; "max" is none.
        (
            "0::/a/b\n",
            {f"{UNIFIED}/a/b/memory.max": "max\n", f"{UNIFIED}/a/memory.max": "52428800\n"},
            [50 * MEGABYTE],
        ),
        # In a container the group is mounted at the top, whatever it is called outside.
        ("0::/docker/0123\n", {f"{UNIFIED}/memory.max": "209715200\n"}, [200 * MEGABYTE]),
        # Of version 1, beside other controllers.
        (
            "9:cpu,cpuacct:/a\n4:memory:/a\n0::/\n",
            {f"{FIRST}/a/memory.limit_in_bytes": "104857600\n"},
            [100 * MEGABYTE],
        ),
        # Version 1 says a number near 2**63 where there is no limit: `usable_memory` leaves it out.
        ("4:memory:/\n", {f"{FIRST}/memory.limit_in_bytes": f"{2**63 - 4096}\n"}, [2**63 - 4096]),
        # No way out of the directory.
        ("0::/../../a\n", {f"{UNIFIED}/a/memory.max": "1048576\n"}, [MEGABYTE]),
        # Nothing that tells.
        ("0::/a\n", {}, []),
        ("garbage\n", {}, []),
    ],
)
def test_limits_of_control_groups(
    tmp_path: Path, groups: str, limits: dict[str, str], expected: list[int]
) -> None:
    assert machine.group_limits(root_with(tmp_path, groups, limits)) == expected


def test_the_smallest_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the machine and of all groups; those that are none do not."""
    monkeypatch.setattr(machine, "machine_bytes", lambda: 8 << 30)
    root = root_with(
        tmp_path,
        "4:memory:/a\n0::/a\n",
        {
            f"{FIRST}/a/memory.limit_in_bytes": str(300 * MEGABYTE),
            f"{FIRST}/memory.limit_in_bytes": str(2**63 - 4096),
            f"{UNIFIED}/a/memory.max": str(400 * MEGABYTE),
        },
    )
    assert machine.usable_memory(root) == 300 * MEGABYTE


def test_a_machine_without_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "machine_bytes", lambda: 8 << 30)
    assert machine.usable_memory(str(tmp_path)) == 8 << 30
    monkeypatch.setattr(machine, "machine_bytes", lambda: 0)
    assert machine.usable_memory(str(tmp_path)) == 0
