"""Which commands and options differential cases use; `python -m tests.differential.coverage` lists the rest.

What is used is read off the cases' scripts, off the tables of what is newer than redis-server, and off the
source of the other tests here: a call or a list of texts that begins with a command's name is a use of it.
What there is to use is the command table: every row, and every word in capitals of its syntax.

A use says that somebody thought of the option, not that he thought of everything.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from nogil_df.commands.registry import all_rows
from nogil_df.commands.spec import Row
from tests.differential import test_commands
from tests.differential.case import words
from tests.differential.cases_newer import NEWER
from tests.differential.cases_newer_bits import NEWER_BITS
from tests.differential.cases_newer_collections import NEWER_COLLECTIONS
from tests.differential.cases_newer_streams import NEWER_STREAMS

HERE = Path(__file__).parent

DRAGONFLY = "Dragonfly's or Memcached's; tests/commands, tests/memcached"
VECTORS = "of Redis 8, no such server here; tests/commands/test_vectors.py"

WITHOUT: dict[str, str] = {
    **dict.fromkeys(["PREPEND", "GAT", "CL.THROTTLE", "FIELDEXPIRE", "FIELDTTL", "DFLY LOAD"], DRAGONFLY),
    **dict.fromkeys(["SAVE DF", "SAVE RDB", "BGSAVE DF", "BGSAVE RDB"], DRAGONFLY),
    **dict.fromkeys(["SCRIPT SHOW"], "ours alone; tests/commands/test_scripting.py"),
    **dict.fromkeys(
        ["VADD", "VSIM", "VCARD", "VDIM", "VEMB", "VGETATTR", "VINFO", "VISMEMBER", "VLINKS"], VECTORS
    ),
    **dict.fromkeys(["VRANDMEMBER", "VRANGE", "VREM", "VSETATTR"], VECTORS),
    **dict.fromkeys(["HOTKEYS START", "HOTKEYS GET", "HOTKEYS STOP", "HOTKEYS RESET"], "of Redis 8.6"),
    **dict.fromkeys(["CLUSTER FLUSHSLOTS"], "refused here; docs/differences.md"),
    **dict.fromkeys(["CLUSTER MYSHARDID"], "of Redis 7.2; tests/commands/test_cluster.py"),
    **dict.fromkeys(["BGREWRITEAOF", "SCRIPT DEBUG"], "refused here; docs/differences.md"),
    **dict.fromkeys(["BGSAVE SCHEDULE", "SHUTDOWN FORCE"], "acts on the server; tests/snapshot, tests"),
    **dict.fromkeys(["MODULE LOADEX CONFIG", "MODULE LOADEX ARGS"], "there are no modules"),
    **dict.fromkeys(
        ["MIGRATE COPY", "MIGRATE REPLACE", "MIGRATE AUTH", "MIGRATE AUTH2"],
        "its lines are put together by test_migrate.py, which has all of them",
    ),
}
"""Commands, and ``command OPTION``, that no case here uses, and why."""

_OPTION = re.compile(r"[A-Z][A-Z0-9_-]+")

Line = tuple[str, ...]


def used() -> set[Line]:
    """Every command line that is used, in capitals."""
    lines = set(_of_cases())
    for path in set(HERE.glob("*.py")) - {Path(__file__), HERE / "test_coverage.py"}:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            lines |= set(_of_node(node))
    return lines


def _of_cases() -> Iterator[Line]:
    for module in test_commands.BOOKS:
        for case in module.BOOK.cases.values():
            for step in case.steps:
                yield tuple(_text(word) for word in step.args)
    for table in (NEWER, NEWER_BITS, NEWER_COLLECTIONS, NEWER_STREAMS):
        for script in table.values():
            for line, _ in script:
                yield tuple(_text(word) for word in words(line))


def _of_node(node: ast.AST) -> Iterator[Line]:
    if isinstance(node, ast.Call):
        items = node.args
    elif isinstance(node, ast.List | ast.Tuple):
        items = node.elts
    elif isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        for line in re.split(r"[|\n]", _text(node.value)):
            yield tuple(line.split())
        return
    else:
        return
    found: list[str] = []
    for item in items:
        if isinstance(item, ast.Constant) and isinstance(item.value, str | bytes):
            found.append(_text(item.value))
        elif isinstance(item, ast.Call):
            # options("NX", "XX"), and the like, of a random sequence.
            found += [word for line in _of_node(item) for text in line for word in text.split()]
        else:
            found.append("")
    yield tuple(found)


def _text(word: str | bytes) -> str:
    return (word if isinstance(word, str) else word.decode("latin-1")).upper()


def commands() -> dict[str, Row]:
    """The rows that run something, by full name: subcommands, not what contains them."""
    found: dict[str, Row] = {}
    for row in all_rows():
        for one in row.subcommands or (row,):
            found[one.name] = one
    return found


def missing() -> tuple[list[str], list[str]]:
    """Commands that no line uses; and ``command OPTION`` for the options that none of its lines has.

    HELP is left out: it is in our own words.
    """
    by_name: dict[str, set[str]] = {}
    for line in used():
        for length in (1, 2):
            if len(line) >= length:
                by_name.setdefault(" ".join(line[:length]), set()).update(line[length:])
    helps = {name for name in commands() if name.endswith(" HELP")}
    unused = [name for name in commands() if name not in by_name and name not in helps]
    options = [
        f"{name} {option}"
        for name, row in commands().items()
        if name in by_name and name not in WITHOUT
        for option in dict.fromkeys(_OPTION.findall(row.syntax))
        if option not in by_name[name]
    ]
    return unused, options


def main() -> None:
    """List what is not used."""
    for name in (name for names in missing() for name in names):
        print(name, f"({WITHOUT[name]})" if name in WITHOUT else "")


if __name__ == "__main__":
    main()
