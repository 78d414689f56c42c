"""A selector: one set of permissions. A user has a root selector and any number of further ones.

An action is allowed if one of the selectors allows the whole of it: the command, every key for what is done
with it, and every channel. Rules are those of Redis 7
(https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/), and so is the text that a
selector is shown as.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from nogil_df.acl.catalogue import ALL, Catalogue
from nogil_df.base.glob import compile_glob

READ, WRITE = 1, 2

_ACCESS = {b"R": READ, b"W": WRITE, b"RW": READ | WRITE, b"WR": READ | WRITE}

_SPACES = frozenset(b" \t\n\v\f\r\0")


class RuleError(ValueError):
    """A rule that can't be applied; ``reason`` is what Redis says of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


UNKNOWN_COMMAND = "Unknown command or category name in ACL"
SYNTAX = "Syntax error"
SUBCOMMAND_ARGUMENT = "Allowing first-arg of a subcommand is not supported"
KEYS_HAVE_ALL = (
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. "
    "Try 'resetkeys' to start with an empty list of patterns"
)
CHANNELS_HAVE_ALL = (
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any "
    "effect. Try 'resetchannels' to start with an empty list of channels"
)


def has_spaces(word: bytes) -> bool:
    """Whether a name or pattern holds what would break the line of an ACL file. O(n)."""
    return not _SPACES.isdisjoint(word)


@dataclass(slots=True)
class KeyPattern:
    """A glob, and what may be done with the keys that match it: READ, WRITE or both."""

    glob: bytes
    access: int
    matches: Callable[[bytes], bool]

    def text(self) -> bytes:
        """As in a rule."""
        prefix = {READ: b"%R~", WRITE: b"%W~"}.get(self.access, b"~")
        return prefix + self.glob


@dataclass(slots=True)
class Selector:
    """Permissions.

    Attributes:
        all_commands: begins with everything (+@all), as opposed to nothing; commands that are yet to come
        too.
        allowed: commands and subcommands that may run.
        first_args: by command, the first arguments with which it may run though it is not allowed as such.
        rules: what was said since +@all or -@all, without what was said again; for show.
        all_keys, keys: every key, or patterns.
        all_channels, channels: every channel, or globs.
    """

    catalogue: Catalogue
    all_commands: bool = False
    allowed: set[str] = field(default_factory=set)
    first_args: dict[str, set[str]] = field(default_factory=dict)
    rules: list[str] = field(default_factory=list)
    all_keys: bool = False
    keys: list[KeyPattern] = field(default_factory=list)
    all_channels: bool = False
    channels: dict[bytes, Callable[[bytes], bool]] = field(default_factory=dict)

    def copy(self) -> Selector:
        """One that can be changed apart."""
        return Selector(
            self.catalogue,
            self.all_commands,
            set(self.allowed),
            {name: set(args) for name, args in self.first_args.items()},
            list(self.rules),
            self.all_keys,
            list(self.keys),
            self.all_channels,
            dict(self.channels),
        )

    @property
    def is_unrestricted(self) -> bool:
        """Whether it allows everything. O(1)."""
        return self.all_commands and not self.rules and self.all_keys and self.all_channels

    # Rules.

    def apply(self, rule: bytes) -> None:
        """Apply one rule. O(commands named).

        Raises:
            RuleError: it is none of a selector's, or makes no sense here.
        """
        word = rule.lower()
        if not word:
            return
        if word in (b"allkeys", b"~*"):
            self.all_keys, self.keys = True, []
        elif word == b"resetkeys":
            self.all_keys, self.keys = False, []
        elif word in (b"allchannels", b"&*"):
            self.all_channels, self.channels = True, {}
        elif word == b"resetchannels":
            self.all_channels, self.channels = False, {}
        elif word in (b"allcommands", b"+@all"):
            self._begin_with(True)
        elif word in (b"nocommands", b"-@all"):
            self._begin_with(False)
        elif rule[:1] in (b"~", b"%"):
            self._add_key_pattern(rule)
        elif rule[:1] == b"&":
            self._add_channel(rule[1:])
        elif rule[:1] in (b"+", b"-"):
            self._change_commands(rule[1:], allow=rule[:1] == b"+")
        else:
            raise RuleError(SYNTAX)

    def _begin_with(self, everything: bool) -> None:
        self.all_commands = everything
        self.allowed = set(self.catalogue.names) if everything else set()
        self.first_args = {}
        self.rules = []

    def _add_key_pattern(self, rule: bytes) -> None:
        if self.all_keys:
            raise RuleError(KEYS_HAVE_ALL)
        access = READ | WRITE
        glob = rule[1:]
        if rule[:1] == b"%":
            letters, tilde, glob = rule[1:].partition(b"~")
            letters = letters.upper()
            if not tilde or letters not in _ACCESS:
                raise RuleError(SYNTAX)
            access = _ACCESS[letters]
        if has_spaces(glob):
            raise RuleError(SYNTAX)
        if glob == b"*" and access == READ | WRITE:
            self.all_keys, self.keys = True, []
            return
        for pattern in self.keys:
            if pattern.glob == glob:
                pattern.access |= access
                return
        self.keys.append(KeyPattern(glob, access, compile_glob(glob)))

    def _add_channel(self, glob: bytes) -> None:
        if self.all_channels:
            raise RuleError(CHANNELS_HAVE_ALL)
        if has_spaces(glob):
            raise RuleError(SYNTAX)
        self.channels.setdefault(glob, compile_glob(glob))

    def _change_commands(self, name: bytes, *, allow: bool) -> None:
        text = name.decode("latin-1").lower()
        if text.startswith("@"):
            self._change_category(text[1:], allow=allow)
            self._note(text, allow=allow)
            return
        if text in self.catalogue.names:
            self._set(self.catalogue.with_children(text), allow=allow)
            if not allow or "|" not in text:
                self.first_args.pop(text, None)
            self._note(text, allow=allow)
            return
        parent, bar, argument = text.partition("|")
        if not bar or parent not in self.catalogue.names:
            raise RuleError(UNKNOWN_COMMAND)
        if "|" in argument:
            known = text.rpartition("|")[0] in self.catalogue.names
            raise RuleError(SUBCOMMAND_ARGUMENT if known else UNKNOWN_COMMAND)
        if not argument:
            raise RuleError(SYNTAX)
        if not allow or parent in self.catalogue.children:
            raise RuleError(UNKNOWN_COMMAND)
        if parent not in self.allowed:
            self.first_args.setdefault(parent, set()).add(argument)
            self._note(text, allow=True)

    def _change_category(self, category: str, *, allow: bool) -> None:
        if category == ALL:
            self._begin_with(allow)
            return
        names = self.catalogue.of_category(category)
        if names is None:
            raise RuleError(UNKNOWN_COMMAND)
        self._set(names, allow=allow)
        for name in names:
            self.first_args.pop(name, None)

    def _set(self, names: Iterable[str], *, allow: bool) -> None:
        if allow:
            self.allowed.update(names)
        else:
            self.allowed.difference_update(names)

    def _note(self, name: str, *, allow: bool) -> None:
        """Keep a rule for show; it replaces what was said of the same, and of its subcommands."""
        if name == "@all":
            return
        self.rules = [rule for rule in self.rules if rule[1:] != name and not rule[1:].startswith(name + "|")]
        self.rules.append(("+" if allow else "-") + name)

    # Questions.

    def allows_command(self, name: str, first_arg: bytes | None) -> bool:
        """Whether a command, by its full name, may run at all. O(1)."""
        if name in self.allowed:
            return True
        words = self.first_args.get(name)
        return words is not None and first_arg is not None and first_arg.decode("latin-1").lower() in words

    def allows_key(self, key: bytes, access: int) -> bool:
        """Whether a key may be accessed so: READ, WRITE, both, or 0 (its name alone). O(patterns)."""
        if self.all_keys:
            return True
        return any(pattern.access & access == access and pattern.matches(key) for pattern in self.keys)

    def allows_every_key(self, access: int) -> bool:
        """Whether keys may be accessed so whatever their names are. O(patterns)."""
        return self.all_keys or any(
            pattern.glob == b"*" and pattern.access & access == access for pattern in self.keys
        )

    def allows_channel(self, channel: bytes, *, is_pattern: bool) -> bool:
        """Whether a channel may be used; a pattern to subscribe to must be there literally. O(patterns)."""
        if self.all_channels:
            return True
        if is_pattern:
            return channel in self.channels
        return any(matches(channel) for matches in self.channels.values())

    # Texts.

    def commands_text(self) -> bytes:
        """As in ACL LIST."""
        words = ["+@all" if self.all_commands else "-@all", *self.rules]
        return " ".join(words).encode("latin-1")

    def keys_text(self) -> bytes:
        """As in ACL LIST."""
        return b"~*" if self.all_keys else b" ".join(pattern.text() for pattern in self.keys)

    def channels_text(self) -> bytes:
        """As in ACL GETUSER."""
        return b"&*" if self.all_channels else b" ".join(b"&" + glob for glob in self.channels)

    def text(self) -> bytes:
        """All of it, as rules that make an equal selector of an empty one."""
        channels = self.channels_text()
        if not self.all_channels:
            channels = b"resetchannels" + (b" " + channels if channels else b"")
        words = [self.keys_text(), channels, self.commands_text()]
        return b" ".join(word for word in words if word)
