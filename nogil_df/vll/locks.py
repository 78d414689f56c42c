"""Intent locks: which keys of a shard are spoken for by transactions that are scheduled but not finished.

From the VLL paper (Ren, Thomson, Abadi: "Lightweight locking for main memory database systems", VLDB 2012)
as Dragonfly uses it. An intent lock never blocks anybody. It is a pair of counts a key, shared and
exclusive, and answers one question when a transaction is scheduled: does somebody scheduled earlier want
the same key in a conflicting way? If not, the transaction may run out of order; if so it waits for its
turn in the tx-queue.

Keys are represented by their 64-bit hash: two keys that collide look like a conflict, which costs a wait
and never correctness. Both counts share one int (``shared + exclusive * EXCLUSIVE``), in one dict, so that
the hot path asks a single question, "is anything held?", before it runs a command inline.

This is the reference. `nogil_df.vll._intents` has the same in C, and `nogil_df.vll.intents` chooses.
"""

from __future__ import annotations

from collections.abc import Set

EXCLUSIVE = 1 << 32
"""One exclusive intent, as counted in the upper half of an entry."""

EVERY_KEY = -1
"""The fingerprint under which global transactions are counted; no hash is negative."""


class IntentLocks:
    """The intents held on one shard.

    Invariants: no entry is zero; after the last transaction concludes the table is empty.
    """

    __slots__ = ("table",)

    def __init__(self) -> None:
        self.table: dict[int, int] = {}

    def __len__(self) -> int:
        """Fingerprints that somebody holds; that of everything is one. O(1)."""
        return len(self.table)

    def conflicts(self, fingerprint: int, exclusive: bool) -> bool:
        """Whether a single-key command on ``fingerprint`` would have to wait. O(1)."""
        table = self.table
        held = table.get(fingerprint, 0) + table.get(EVERY_KEY, 0)
        return held != 0 if exclusive else held >= EXCLUSIVE

    def is_free(self, shared: Set[int], exclusive: Set[int]) -> bool:
        """Whether nobody has an intent that conflicts with these. O(keys)."""
        table = self.table
        if not table:
            return True
        everything = table[EVERY_KEY] if EVERY_KEY in table else 0
        if everything and (exclusive or everything >= EXCLUSIVE):
            return False
        for fingerprint in exclusive:
            if fingerprint in table:
                return False
        for fingerprint in shared:
            if fingerprint in table and table[fingerprint] >= EXCLUSIVE:
                break
        else:
            return True
        return False

    def is_wanted(self, fingerprint: int) -> bool:
        """Whether anybody scheduled wants this key, to read or to write. O(1)."""
        return self.conflicts(fingerprint, True)

    def acquire(self, shared: Set[int], exclusive: Set[int]) -> bool:
        """Add intents on the given fingerprints; always adds, whatever the answer.

        Args:
            shared: distinct fingerprints that the transaction only reads.
            exclusive: distinct fingerprints that it may write.

        Returns:
            True if no earlier intent conflicts: the transaction may run out of order.
        Complexity: O(keys).
        """
        table = self.table
        if not table:
            # Mostly there is nobody else.
            if exclusive:
                table.update(dict.fromkeys(exclusive, EXCLUSIVE))
            if shared:
                table.update(dict.fromkeys(shared, 1))
            return True
        held_keys = table.keys()
        if held_keys.isdisjoint(exclusive) and held_keys.isdisjoint(shared) and EVERY_KEY not in table:
            # The usual case at the speed of C: 60 ns a key, where the loops below take 200.
            table.update(dict.fromkeys(exclusive, EXCLUSIVE))
            table.update(dict.fromkeys(shared, 1))
            return True
        everything = table[EVERY_KEY] if EVERY_KEY in table else 0
        granted = everything == 0 if exclusive else everything < EXCLUSIVE
        for fingerprint in exclusive:
            held = table[fingerprint] if fingerprint in table else 0
            if held:
                granted = False
            table[fingerprint] = held + EXCLUSIVE
        for fingerprint in shared:
            held = table[fingerprint] if fingerprint in table else 0
            if held >= EXCLUSIVE:
                granted = False
            table[fingerprint] = held + 1
        return granted

    def contested(self, shared: Set[int], exclusive: Set[int]) -> tuple[Set[int], Set[int]]:
        """Which of these, acquired before, others hold in conflict; all of them if somebody holds everything.

        Whoever is in the way has one of those, and they are few: of 150 keys of a pipeline 1 or 2. O(keys).
        """
        table = self.table
        if EVERY_KEY in table:
            return shared, exclusive
        reads = set()
        writes = set()
        for fingerprint in shared:
            held = table[fingerprint]
            if held >= EXCLUSIVE:
                reads.add(fingerprint)
        for fingerprint in exclusive:
            held = table[fingerprint]
            if held != EXCLUSIVE:
                writes.add(fingerprint)
        return reads, writes

    def acquire_everything(self, exclusive: bool) -> bool:
        """Add the intent of a global transaction. O(1) if exclusive, else O(intents held)."""
        table = self.table
        if exclusive:
            granted = not table
            table[EVERY_KEY] = table.get(EVERY_KEY, 0) + EXCLUSIVE
        else:
            granted = all(held < EXCLUSIVE for held in table.values())
            table[EVERY_KEY] = table.get(EVERY_KEY, 0) + 1
        return granted

    def release(self, shared: Set[int], exclusive: Set[int]) -> None:
        """Take back what `acquire` added for the same arguments. O(keys)."""
        table = self.table
        for fingerprint in exclusive:
            left = table[fingerprint] - EXCLUSIVE
            if left:
                table[fingerprint] = left
            else:
                del table[fingerprint]
        for fingerprint in shared:
            left = table[fingerprint] - 1
            if left:
                table[fingerprint] = left
            else:
                del table[fingerprint]

    def counts(self) -> dict[int, int]:
        """What is held, by fingerprint; as `table` has it. O(intents held)."""
        return dict(self.table)

    def release_everything(self, exclusive: bool) -> None:
        """Take back what `acquire_everything` added. O(1)."""
        left = self.table.pop(EVERY_KEY) - (EXCLUSIVE if exclusive else 1)
        if left:
            self.table[EVERY_KEY] = left

    def verify(self) -> None:
        """Check the invariants. Raises AssertionError."""
        for fingerprint, held in self.table.items():
            assert held > 0, f"intent on {fingerprint:#x} counts {held}"
