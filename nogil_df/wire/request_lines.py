"""Commands read as lines: for stretches whose bytes hiredis can't be trusted with unlooked at.

A request is lines: the count, then for each argument a header and the argument. So one `bytes.split` takes a
stretch apart, and if every second line is the header that belongs to the length of the line after it, the
commands packed again would be the very bytes that came: nothing else was hidden in them. All of it runs in C,
about 0.25 us an argument, where asking a value of random bytes for RESP types by a regular expression takes
7 ns a byte.

It knows only what is canonical and small: an argument that holds a line break, or is longer than a page, or
a command of more than 255 arguments makes the answer None, and the caller's other ways decide.
"""

from __future__ import annotations

from typing import Final

_LENGTHS: Final = 4096  # of arguments, as far as their headers are kept
_ARGUMENTS: Final = 256


class LineReader:
    """The headers of one thread; made by the thread that uses it, as it shares them with nobody."""

    __slots__ = ("_counts", "_header", "_headers")

    def __init__(self) -> None:
        self._headers = [b"$%d" % length for length in range(_LENGTHS)]
        self._header = self._headers.__getitem__
        self._counts = {b"*%d" % count: count for count in range(1, _ARGUMENTS)}

    def command(self, data: bytes) -> list[bytes] | None:
        """The command that ``data`` is, if it is exactly one. O(bytes)."""
        lines = data.split(b"\r\n")
        args = lines[2::2]
        try:
            if (
                self._counts[lines[0]] == len(args)
                and not lines.pop()
                and lines[1::2] == list(map(self._header, map(len, args)))
            ):
                return args
        except (KeyError, IndexError):
            pass
        return None

    def commands(self, stretch: bytes) -> list[list[bytes]] | None:
        """The commands that ``stretch`` is, if it is a whole number of them. O(bytes)."""
        lines = stretch.split(b"\r\n")
        if lines.pop():
            return None
        try:
            width = 2 * self._counts[lines[0]] + 1
            # A column costs as much as a command; one of them is the shorter list.
            if width * width < 2 * len(lines) and lines[::width].count(lines[0]) * width == len(lines):
                return self._of_one_length(lines, width)
            return self._of_any_length(lines)
        except (KeyError, IndexError):
            return None

    def _of_one_length(self, lines: list[bytes], width: int) -> list[list[bytes]] | None:
        """Pipelines are mostly one command many times: column by column."""
        header = self._header
        columns: list[list[bytes]] = []
        for place in range(2, width, 2):
            column = lines[place::width]
            if lines[place - 1 :: width] != list(map(header, map(len, column))):
                return None
            columns.append(column)
        return list(map(list, zip(*columns, strict=True)))

    def _of_any_length(self, lines: list[bytes]) -> list[list[bytes]] | None:
        counts = self._counts
        header = self._header
        commands: list[list[bytes]] = []
        position = 0
        size = len(lines)
        while position < size:
            end = position + 2 * counts[lines[position]] + 1
            args = lines[position + 2 : end : 2]
            if end > size or lines[position + 1 : end : 2] != list(map(header, map(len, args))):
                return None
            commands.append(args)
            position = end
        return commands
