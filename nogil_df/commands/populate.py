"""DEBUG POPULATE: many keys in no time.

Every thread counts through the same keys, ``prefix:0``, ``prefix:1``, ..., and makes those that its shard
owns; so all bytes are made by their owner and nothing travels. It does so in slices of about a millisecond,
and the coordinator starts the next round when all have done theirs: in between the server answers others.
A key that is there already is left alone.

The whole is no transaction, but each key is written like a single-key command does: a slice ends before a key
that a scheduled transaction has an intent on, and takes it up again in the next round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nogil_df.base.errors import ReplyError
from nogil_df.base.hashing import SLOTS, hash_tag, slot_of
from nogil_df.base.hashing import hash_key as plain_hash_key
from nogil_df.base.numbers import parse_int
from nogil_df.shard.table import fill_numbered

if TYPE_CHECKING:
    from nogil_df.commands.context import Context, Steps
    from nogil_df.shard.shard import Shard
    from nogil_df.vll.locks import IntentLocks
    from nogil_df.vll.proactor import Proactor

Position = tuple[int, int]
"""The number of the next key, and how many keys have been counted before it."""

SLICE = 4_000
"""Work of one slice: a key of another shard costs 1 (about 0.25 us), one made here MAKING more."""

MAKING = 6

COMPILED = 10
"""Work that the compiled table does in the same time."""

LONGEST_PREFIX = 200
BIGGEST = 16_000
"""Bytes of a prefix and of a value up to which the compiled table makes the keys by itself."""

RANDOM_SIZE = 16
"""Bytes of a random value, if no size is given."""

LONGEST_WAIT = (1 << 53) // 1000
"""Seconds that EXPIRE takes at most."""

TYPES = (b"STRING", b"LIST", b"SET", b"HASH", b"ZSET", b"JSON", b"STREAM")


@dataclass(frozen=True, slots=True)
class Population:
    """What is to be made.

    Attributes:
        size: bytes of a value; 0 for ``value:N`` as long as it is.
        random: values of random hexadecimal digits.
        expire: bounds of the time to live in seconds, None for no deadline.
        slots: make only keys of these cluster slots, None for any.
    """

    database: int
    count: int
    prefix: bytes
    size: int
    random: bool
    expire: tuple[int, int] | None
    slots: tuple[int, int] | None

    @property
    def plain(self) -> bool:
        """Whether keys and values are numbered texts that the compiled table can make."""
        special = self.random or self.expire is not None or self.slots is not None
        return not special and self.size <= BIGGEST and len(self.prefix) <= LONGEST_PREFIX

    def slot_matches(self, key: bytes) -> bool:
        """Whether a key lies in the wanted slots. O(len(key))."""
        return self.slots is None or self.slots[0] <= slot_of(key) <= self.slots[1]


def parse(args: list[bytes], database: int, longest: int) -> Population:
    """The arguments after DEBUG POPULATE: n [prefix [size]] and options.

    ELEMENTS says how many elements a collection gets; a string has none, so it changes nothing.

    Args:
        longest: bytes that a value may have.

    Raises:
        ReplyError: a number is wrong, an option unknown, or a type is asked for that there is not yet.
    """
    count = _number(args[0])
    prefix = args[1] if len(args) > 1 else b"key"
    at = 2
    size = 0
    if len(args) > 2 and args[2].upper() not in _OPTIONS:
        size = _number(args[2])
        at = 3
    random = False
    bounds: dict[bytes, tuple[int, int]] = {}
    while at < len(args):
        word = args[at].upper()
        values = args[at + 1 : at + 1 + _OPTIONS.get(word, 0)]
        if word not in _OPTIONS or len(values) < _OPTIONS[word]:
            raise ReplyError("SYNTAX")
        if word == b"RAND":
            random = True
        elif word == b"TYPE":
            _check_type(values[0])
        elif word == b"ELEMENTS":
            _number(values[0])
        else:
            bounds[word] = _range(values, SLOTS - 1 if word == b"SLOTS" else LONGEST_WAIT)
        at += 1 + len(values)
    if size > longest:
        raise ReplyError("STRING_TOO_LONG")
    population = Population(
        database, count, prefix, size, random, bounds.get(b"EXPIRE"), bounds.get(b"SLOTS")
    )
    tagged = hash_tag(prefix + b":") != prefix + b":"
    if tagged and not population.slot_matches(prefix + b":"):
        raise ReplyError("ERR", "the hash tag of the prefix lies in another slot")
    return population


_OPTIONS = {b"RAND": 0, b"TYPE": 1, b"ELEMENTS": 1, b"EXPIRE": 2, b"SLOTS": 2}
"""Options, and how many values each takes."""


def _number(word: bytes) -> int:
    number = parse_int(word)
    if number is None or number < 0:
        raise ReplyError("NOT_POSITIVE")
    return number


def _range(words: list[bytes], greatest: int) -> tuple[int, int]:
    low, high = _number(words[0]), _number(words[1])
    if not low <= high <= greatest:
        raise ReplyError("OUT_OF_RANGE")
    return low, high


def _check_type(word: bytes) -> None:
    name = word.upper()
    if name not in TYPES:
        raise ReplyError("SYNTAX")
    if name != b"STRING":
        raise ReplyError("ERR", f"this server has no values of type {name.decode().lower()} yet")


def run(context: Context, args: list[bytes]) -> Steps:
    """DEBUG POPULATE: rounds of slices on all threads until every one of them has come to the end."""
    population = parse(args[2:], context.db, context.dispatcher.config.proto_max_bulk_len)
    threads = context.proactor.count
    positions = [(0, 0)] * threads
    while any(made < population.count for _, made in positions):
        if context.nested:
            # The transaction holds everything, so there are no intents to look out for.
            positions = yield from context.all_shards(fill_slice, (population, positions))
        else:
            positions = yield from context.everywhere(fill_slice_here, (population, positions))


def fill_slice(shard: Shard, argument: tuple[Population, list[Position]]) -> Position:
    """One slice on a shard that the caller holds the intents of. Returns where to go on."""
    population, positions = argument
    return fill(shard, population, positions[shard.index], None)


def fill_slice_here(proactor: Proactor, argument: tuple[Population, list[Position]]) -> Position:
    """One slice on every thread, around the intents of transactions. Returns where to go on."""
    population, positions = argument
    shard = proactor.shard
    return fill(shard, population, positions[shard.index], proactor.engine.locks)


def fill(
    shard: Shard, population: Population, position: Position, locks: IntentLocks | None, budget: int = SLICE
) -> Position:
    """Make the keys of this shard from ``position`` on, until the budget is spent. O(budget).

    Args:
        locks: intents to respect; None if the caller holds them all.

    Returns:
        Where to go on.
    """
    number, made = position
    db = shard.dbs[population.database]
    hash_key = shard.hash_key
    if (
        fill_numbered is not None
        and hash_key is plain_hash_key
        and population.plain
        and not (db.observed or locks)
    ):
        reached, records = fill_numbered(
            db.table,
            population.prefix,
            number,
            population.count - made,
            population.size,
            shard.index,
            shard.count,
            budget * COMPILED,
        )
        shard.dirty += records
        return reached, made + reached - number
    prefix = population.prefix
    while made < population.count and budget > 0:
        key = b"%b:%d" % (prefix, number)
        budget -= 1
        if not population.slot_matches(key):
            number += 1
            continue
        h = hash_key(key)
        if (h >> 32) % shard.count == shard.index:
            if locks and locks.conflicts(h, True):
                break
            if db.table.look(key, h) is None:
                value = _value(shard, population, number)
                db.put(key, h, value, _deadline(shard, population))
                db.touched(key)
                shard.dirty += 1
                budget -= MAKING + (len(value) >> 8)
        number += 1
        made += 1
    return number, made


def _value(shard: Shard, population: Population, number: int) -> bytes:
    size = population.size
    if population.random:
        size = size or RANDOM_SIZE
        return shard.random.randbytes((size + 1) // 2).hex().encode()[:size]
    text = b"value:%d" % number
    return text[:size].ljust(size, b"\0") if size else text


def _deadline(shard: Shard, population: Population) -> int:
    if population.expire is None:
        return 0
    return shard.tick.ms + shard.random.randint(*population.expire) * 1000
