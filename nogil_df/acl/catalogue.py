"""The commands as access rules see them: names, subcommands, categories.

Derived once a thread from the command table, so that rules need not know what a command is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

ALL = "all"


class Catalogue:
    """Names that rules may use.

    Args:
        entries: (full name in lower case, such as "config|get", its categories without the @).
        categories: every category, in the order in which ACL CAT shows them.

    Attributes:
        names: every command and subcommand; a command with subcommands is there itself too.
        children: subcommands of a command, by its name.
    """

    __slots__ = ("_by_category", "categories", "children", "names")

    def __init__(self, entries: Iterable[tuple[str, frozenset[str]]], categories: Sequence[str]) -> None:
        self.categories = tuple(categories)
        self._by_category: dict[str, list[str]] = {category: [] for category in categories}
        self.names: set[str] = set()
        self.children: dict[str, set[str]] = {}
        for name, held in entries:
            self.names.add(name)
            parent, bar, _ = name.partition("|")
            if bar:
                self.children.setdefault(parent, set()).add(name)
            for category in held & self._by_category.keys():
                self._by_category[category].append(name)

    def with_children(self, name: str) -> set[str]:
        """A command and its subcommands. O(subcommands)."""
        return {name, *self.children.get(name, ())}

    def of_category(self, category: str) -> list[str] | None:
        """Commands and subcommands of a category, None if there is no such category. O(1)."""
        return self._by_category.get(category)
