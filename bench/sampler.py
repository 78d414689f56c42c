"""Where a server's threads spend their time, by Python function and line: a sampling profiler in the process.

perf sees the interpreter's C functions only, and outside samplers cannot walk the frames of a
free-threaded build. This one is a thread of the server's own process: it looks at `sys._current_frames()`
a thousand times a second for as long as a flag file exists, writes what it saw as JSON when that file
goes, and leaves the program alone otherwise. A sample stops all threads for some microseconds and falls
on the points where the interpreter can stop, so the shares are good to a few per cent, and a long C call
counts for the line it is made from.

`python -X gil=0 -m bench.sampler FLAG OUTPUT MODULE [ARGUMENT...]`; `bench.profile python` drives it.
"""

from __future__ import annotations

import json
import runpy
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

INTERVAL_SECONDS = 0.001
POLL_SECONDS = 0.02


class Samples:
    """Counts of what was on top (`own`), anywhere on the stack (`total`), and of lines on top (`lines`)."""

    __slots__ = ("count", "lines", "own", "total")

    def __init__(self) -> None:
        self.count = 0
        self.own: Counter[str] = Counter()
        self.total: Counter[str] = Counter()
        self.lines: Counter[str] = Counter()

    def add(self, frame: FrameType) -> None:
        """Count one stack, given its innermost frame."""
        self.count += 1
        name = function_of(frame)
        self.own[name] += 1
        self.lines[f"{name}:{frame.f_lineno}"] += 1
        seen = {name}
        outer = frame.f_back
        while outer is not None:
            seen.add(function_of(outer))
            outer = outer.f_back
        self.total.update(seen)

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {"count": self.count, "own": self.own, "total": self.total, "lines": self.lines}


def function_of(frame: FrameType) -> str:
    """`directory/file.py function` of a frame."""
    code = frame.f_code
    return f"{'/'.join(code.co_filename.split('/')[-2:])} {code.co_qualname}"


def watch(flag: Path, output: Path) -> None:
    """Wait for the flag, sample while it is there, write the result, and end."""
    while not flag.exists():
        time.sleep(POLL_SECONDS)
    samples = Samples()
    own = threading.get_ident()
    while flag.exists():
        time.sleep(INTERVAL_SECONDS)
        for ident, frame in sys._current_frames().items():
            if ident != own:
                samples.add(frame)
    aside = output.with_suffix(".part")
    aside.write_text(json.dumps(samples.as_dict()), encoding="utf-8")
    aside.replace(output)


def main() -> None:
    """Start the watcher, then become the module."""
    flag, output, module = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    sys.argv = [module, *sys.argv[4:]]
    threading.Thread(target=watch, args=(flag, output), name="sampler", daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
