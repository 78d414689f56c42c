"""Users: who may log in with which password, and what they may do then.

Passwords are kept as SHA-256 sums only, and compared in constant time. A user object stays the same as long
as the user exists, so sessions refer to it; what it may do is replaced as a whole when rules change it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from nogil_df.acl.catalogue import Catalogue
from nogil_df.acl.selector import RuleError, Selector

DEFAULT = b"default"
HASH_LENGTH = 64

NO_SUCH_PASSWORD = "The password you are trying to remove from the user does not exist"
BAD_HASH = "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"


class UnmatchedParenthesis(RuleError):
    """A selector among rules that has no end; ``reason`` is where it begins."""


class User:
    """One user.

    Attributes:
        all_channels: what a new selector begins with, and `reset` goes back to.
        enabled: may log in.
        no_password: any password will do.
        sanitizes: payloads of RESTORE are checked in full; for show, as ours always are.
        passwords: SHA-256 sums in hex, in the order in which they were added.
        selectors: the root selector, then the others.
    """

    __slots__ = (
        "all_channels",
        "catalogue",
        "enabled",
        "name",
        "no_password",
        "passwords",
        "sanitizes",
        "selectors",
    )

    def __init__(self, name: bytes, catalogue: Catalogue, *, all_channels: bool = False) -> None:
        self.name = name
        self.catalogue = catalogue
        self.all_channels = all_channels
        self.enabled = False
        self.no_password = False
        self.sanitizes = True
        self.passwords: dict[bytes, None] = {}
        self.selectors = [Selector(catalogue, all_channels=all_channels)]

    def copy(self) -> User:
        """One that can be changed apart."""
        twin = User(self.name, self.catalogue, all_channels=self.all_channels)
        twin.replace(self)
        return twin

    def replace(self, other: User) -> None:
        """Take over all that ``other`` is, but for the name."""
        self.enabled = other.enabled
        self.no_password = other.no_password
        self.sanitizes = other.sanitizes
        self.passwords = dict(other.passwords)
        self.selectors = [selector.copy() for selector in other.selectors]

    @property
    def is_unrestricted(self) -> bool:
        """Whether it may do everything, so that nobody need ask. O(1)."""
        return self.selectors[0].is_unrestricted

    # Rules.

    def apply_all(self, rules: Sequence[bytes]) -> None:
        """Apply rules in order.

        Raises:
            UnmatchedParenthesis: a selector has no end.
            RuleError: with the rule as its second argument; those before it have been applied.
        """
        for rule in merge_selectors(rules):
            try:
                self.apply(rule)
            except RuleError as error:
                error.args = (error.reason, rule)
                raise

    def apply(self, rule: bytes) -> None:
        """Apply one rule; a selector in parentheses counts as one.

        Raises:
            RuleError: it makes no sense.
        """
        word = rule.lower()
        if word in _FLAGS:
            setattr(self, *_FLAGS[word])
            if word == b"nopass":
                self.passwords = {}
        elif word == b"resetpass":
            self.passwords, self.no_password = {}, False
        elif word == b"clearselectors":
            del self.selectors[1:]
        elif word == b"reset":
            self.replace(User(self.name, self.catalogue, all_channels=self.all_channels))
        elif rule[:1] in (b">", b"#"):
            self.passwords[_hashed(rule)] = None
            self.no_password = False
        elif rule[:1] in (b"<", b"!"):
            if self.passwords.pop(_hashed(rule), self) is self:
                raise RuleError(NO_SUCH_PASSWORD)
        elif rule[:1] == b"(" and rule[-1:] == b")":
            self.selectors.append(self._selector(rule[1:-1].split()))
        else:
            self.selectors[0].apply(rule)

    def _selector(self, rules: Iterable[bytes]) -> Selector:
        selector = Selector(self.catalogue, all_channels=self.all_channels)
        for rule in rules:
            selector.apply(rule)
        return selector

    # Questions.

    def accepts(self, password: bytes) -> bool:
        """Whether this password logs in; takes as long whichever of them it is. O(passwords)."""
        given = hashlib.sha256(password).hexdigest().encode()
        found = self.no_password
        for wanted in self.passwords:
            found = hmac.compare_digest(given, wanted) or found
        return found and self.enabled

    # Texts.

    def flags(self) -> list[bytes]:
        """As in ACL GETUSER."""
        flags = [b"on" if self.enabled else b"off"]
        if self.no_password:
            flags.append(b"nopass")
        flags.append(b"sanitize-payload" if self.sanitizes else b"skip-sanitize-payload")
        return flags

    def text(self) -> bytes:
        """All of it, as rules that make an equal user of a new one."""
        words = [*self.flags(), *[b"#" + password for password in self.passwords], self.selectors[0].text()]
        words += [b"(%b)" % selector.text() for selector in self.selectors[1:]]
        return b" ".join(words)


_FLAGS = {
    b"on": ("enabled", True),
    b"off": ("enabled", False),
    b"nopass": ("no_password", True),
    b"sanitize-payload": ("sanitizes", True),
    b"skip-sanitize-payload": ("sanitizes", False),
}


def _hashed(rule: bytes) -> bytes:
    """The SHA-256 sum of the password that a rule names, in hex.

    Raises:
        RuleError: the rule names a sum that is none.
    """
    if rule[:1] in (b">", b"<"):
        return hashlib.sha256(rule[1:]).hexdigest().encode()
    if len(rule) != HASH_LENGTH + 1 or rule[1:].strip(b"0123456789abcdef"):
        raise RuleError(BAD_HASH)
    return rule[1:]


def merge_selectors(rules: Iterable[bytes]) -> list[bytes]:
    """Rules with each selector, which may be spread over several words, in one. O(rules).

    Raises:
        UnmatchedParenthesis: a selector has no end.
    """
    merged: list[bytes] = []
    begun: list[bytes] = []
    for rule in rules:
        if begun or (rule[:1] == b"(" and rule[-1:] != b")"):
            begun.append(rule)
            if rule[-1:] == b")":
                merged.append(b" ".join(begun))
                begun = []
        else:
            merged.append(rule)
    if begun:
        raise UnmatchedParenthesis(begun[0].decode("latin-1"))
    return merged


class Users:
    """The users of one thread.

    Invariants: ``default`` is always there; iteration is in the order of names, as Redis's radix tree gives
    it.
    """

    __slots__ = ("all_channels", "by_name", "catalogue", "default")

    def __init__(self, catalogue: Catalogue, *, all_channels: bool = False) -> None:
        self.catalogue = catalogue
        # What new users begin with: the parameter acl-pubsub-default.
        self.all_channels = all_channels
        self.default = self.make_default()
        self.by_name = {DEFAULT: self.default}

    def make_default(self) -> User:
        """The default user of a server that was told nothing: no password, no limits."""
        user = User(DEFAULT, self.catalogue)
        for rule in (b"on", b"nopass", b"~*", b"&*", b"+@all"):
            user.apply(rule)
        return user

    def new(self, name: bytes) -> User:
        """A user that may do nothing yet, not part of this table. O(1)."""
        return User(name, self.catalogue, all_channels=self.all_channels)

    def put(self, user: User) -> User:
        """Add a user, or make the one of that name equal to it. Returns the one that counts from now on."""
        known = self.by_name.get(user.name)
        if known is None:
            self.by_name[user.name] = user
            return user
        known.replace(user)
        return known

    def remove(self, name: bytes) -> User | None:
        """Take a user out; the default one stays."""
        return None if name == DEFAULT else self.by_name.pop(name, None)

    def sorted(self) -> list[User]:
        """All users by name. O(n log n)."""
        return [self.by_name[name] for name in sorted(self.by_name)]

    def log_in(self, name: bytes, password: bytes) -> User | None:
        """The user that these credentials are of, None if of nobody. As slow for names that do not exist."""
        user = self.by_name.get(name)
        if user is None:
            self.default.accepts(password)
            return None
        return user if user.accepts(password) else None
