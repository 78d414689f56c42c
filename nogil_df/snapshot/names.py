"""What snapshots are called, and which one is loaded.

`dbfilename` is a plain name in `dir`; `{timestamp}` in it is the moment of the save. A name that ends in
`.rdb` is one file in Redis's format. Any other one names a native set, ``NAME-summary.dfs`` with the files
that it lists, or, where one asks for Redis's format, ``NAME.rdb``. What is loaded at the start is the
youngest that is there in either format.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import Final

RDB: Final = "rdb"
NATIVE: Final = "df"

TIMESTAMP: Final = "{timestamp}"
RDB_SUFFIX: Final = ".rdb"
NATIVE_SUFFIX: Final = ".dfs"
SUMMARY: Final = "-summary.dfs"

_TIMESTAMPS: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a snapshot is, or will be.

    Attributes:
        kind: RDB or NATIVE.
        path: of the file, or of the set's summary.
    """

    kind: str
    path: str

    @property
    def directory(self) -> str:
        """The directory of its files."""
        return os.path.dirname(self.path)

    @property
    def stem(self) -> str:
        """What the names of all files of a native set begin with."""
        return os.path.basename(self.path).removesuffix(SUMMARY)


def is_plain(name: str) -> bool:
    """Whether a name stays in its directory, and can be one."""
    return "/" not in name and "\0" not in name and name not in (".", "..")


def stem_of(name: str) -> str:
    """A `dbfilename` without what tells the format."""
    return name.removesuffix(RDB_SUFFIX).removesuffix(SUMMARY).removesuffix(NATIVE_SUFFIX)


def place_for(directory: str, name: str, kind: str, unix_seconds: float) -> Place:
    """Where a snapshot of that moment goes.

    Args:
        name: a `dbfilename` that is not empty.
        kind: RDB, NATIVE, or "" for what the name says, and NATIVE if it says nothing.
    """
    kind = kind or (RDB if name.endswith(RDB_SUFFIX) else NATIVE)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(unix_seconds))
    stem = stem_of(name).replace(TIMESTAMP, stamp)
    return Place(kind, os.path.join(directory, stem + (RDB_SUFFIX if kind == RDB else SUMMARY)))


def _stems(name: str) -> str:
    """A pattern of all stems under a `dbfilename`."""
    return re.escape(stem_of(name)).replace(re.escape(TIMESTAMP), _TIMESTAMPS)


def leftovers(name: str) -> re.Pattern[str]:
    """A pattern of what a save under a `dbfilename` has aside, or as a file of a native set.

    Its groups: the stem, the id of the set, the id of the process that wrote it aside; the latter two may be
    missing.
    """
    set_file = rf"-\d{{4}}-([0-9a-f]{{16}}){re.escape(NATIVE_SUFFIX)}"
    files = f"(?:{re.escape(RDB_SUFFIX)}|{re.escape(SUMMARY)}|{set_file}|)"
    return re.compile(rf"({_stems(name)}){files}(?:\.tmp-(\d+))?")


def find_youngest(directory: str, name: str) -> Place | None:
    """The youngest snapshot under a `dbfilename`, in either format; None if there is none.

    Raises:
        OSError: the directory can't be read.
    """
    names = re.compile(f"{_stems(name)}({re.escape(RDB_SUFFIX)}|{re.escape(SUMMARY)}|)")
    found: list[tuple[int, str, Place]] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            match = names.fullmatch(entry.name)
            if match is not None and entry.is_file():
                kind = NATIVE if match[1] == SUMMARY else RDB
                found.append((entry.stat().st_mtime_ns, entry.name, Place(kind, entry.path)))
    return max(found, key=lambda one: one[:2])[2] if found else None


def place_of(path: str) -> Place:
    """The snapshot that a path names: a file in Redis's format, or the summary of a native set."""
    return Place(NATIVE if path.endswith(NATIVE_SUFFIX) else RDB, path)
