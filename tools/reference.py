"""Pages that are made of the program's own tables: docs/commands.md, and the flags in docs/operations.md.

    python -m tools.reference           write them
    python -m tools.reference --check   exit with 1, and say so, if they are not up to date

Commands come from the rows that also dispatch them, flags from the table that also parses them: what stands
there cannot differ from what the server does. Run it from the checkout, with the server's interpreter.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nogil_df.base.flags import FLAGS, GROUPS
from nogil_df.commands.registry import all_rows

if TYPE_CHECKING:
    from nogil_df.base.flags import Flag
    from nogil_df.commands.spec import Row

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN, END = "<!-- flags: begin -->", "<!-- flags: end -->"

TITLES = {
    "string": "Strings",
    "bitmap": "Bitmaps",
    "hyperloglog": "HyperLogLogs",
    "list": "Lists",
    "set": "Sets",
    "hash": "Hashes",
    "sorted-set": "Sorted sets",
    "module": "Vector sets",
    "generic": "Keys",
    "transactions": "Transactions",
    "pubsub": "Publish and subscribe",
    "connection": "Connections",
    "server": "Server",
}
"""Groups in the order of the page; others follow, by name."""


def commands_page(rows: tuple[Row, ...]) -> str:
    """docs/commands.md for a command table."""
    groups: dict[str, list[Row]] = {name: [] for name in TITLES}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    names = [name for name, members in groups.items() if members]
    lines = [
        "# Commands",
        "",
        "Every command that this version knows, as `COMMAND DOCS` tells them too. *Since* is the",
        "version of Redis that brought it. What is not here answers `ERR unknown command`.",
        "",
        "<!-- Made by `python -m tools.reference`; not to be edited. -->",
        "",
        " · ".join(f"[{_title(name)}](#{_title(name).lower().replace(' ', '-')})" for name in names),
    ]
    for name in names:
        lines += [
            "",
            f"## {_title(name)}",
            "",
            "| Command | Arguments | What it does | Since |",
            "|---|---|---|---|",
        ]
        for row in sorted(groups[name], key=lambda row: row.name):
            lines += [_command(row), *map(_command, sorted(row.subcommands, key=lambda child: child.name))]
    return "\n".join(lines) + "\n"


def _title(group: str) -> str:
    return TITLES.get(group, group.capitalize())


def _command(row: Row) -> str:
    syntax = f"`{_cell(row.syntax)}`" if row.syntax else ""
    return f"| `{row.name}` | {syntax} | {_cell(row.summary)} | {row.since} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def flag_tables() -> str:
    """The flags by group, with defaults, and which of them CONFIG SET may change."""
    lines: list[str] = []
    for group in GROUPS:
        lines += [
            "",
            f"### {group}",
            "",
            "| Flag | Default | What it does | `CONFIG SET` |",
            "|---|---|---|---|",
        ]
        lines += [_flag(flag) for flag in FLAGS.values() if flag.group == group]
    return "\n".join(lines[1:])


def _flag(flag: Flag) -> str:
    default = flag.text(flag.default)
    parameter = f"`{flag.redis or flag.name}`" if flag.mutable else ""
    shown = f"`{default}`" if default else ""
    return f"| `--{flag.name}` | {shown} | {_cell(flag.help)} | {parameter} |"


def operations_page(page: str) -> str:
    """docs/operations.md with the tables of today between its markers."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{flag_tables()}\n\n{END}{tail}"


def pages() -> dict[Path, str]:
    """What the pages should be."""
    operations = DOCS / "operations.md"
    return {
        DOCS / "commands.md": commands_page(all_rows()),
        operations: operations_page(operations.read_text(encoding="utf-8")),
    }


def outdated() -> list[str]:
    """Names of pages that are not what they should be."""
    return [
        path.name
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    """Write the pages, or check them. The exit code."""
    if arguments == ["--check"]:
        for name in outdated():
            print(f"docs/{name} is not up to date: run `python -m tools.reference`", file=sys.stderr)
        return 1 if outdated() else 0
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
