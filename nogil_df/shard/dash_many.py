"""Many records of a Dash table in one call.

`DashTable.get` and `put` spend half their time on being called and on looking up what belongs to the table.
Here that is paid once for a pipeline or an MSET; per key there is the search in the two near buckets. What is
not found there at once, has company that expires, or must be handed to a cut first, goes to the methods.

Literal numbers and the layout of entries are those of `nogil_df.shard.dash`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nogil_df.shard.dash import DashTable


def get_many(table: DashTable, keys: Sequence[bytes], hashes: Sequence[int]) -> list[Any]:
    """What `table.get` answers for each key, in order. O(keys)."""
    directory, shift = table.directory
    found: list[Any] = []
    append = found.append
    for key, h in zip(keys, hashes, strict=True):
        find, names, values, deadlines, _, ages, uses = directory[h >> shift]
        remainder = h % 14280
        start = remainder // 255 * 14
        slot = find(remainder % 255 + 1, start, start + 28)
        if slot >= 0 and not deadlines and names[slot] == key:
            ages[slot] = uses[ages[slot]]
            append(values[slot])
        else:
            append(table.get(key, h))
            directory, shift = table.directory
    return found


def put_many(
    table: DashTable, keys: Sequence[bytes], hashes: Sequence[int], values: Sequence[Any], copy_keys: bool
) -> list[Any]:
    """Do what `table.put` does for each pair, in order, without deadlines; the old values. O(keys).

    Args:
        values: objects that the owner of the table made.
        copy_keys: the keys are not the owner's: those that are new to the table are copied.
    """
    directory, shift = table.directory
    if table.cut_version:
        return [
            table.put(b"%b" % key if copy_keys else key, h, value)
            for key, h, value in zip(keys, hashes, values, strict=True)
        ]
    replaced: list[Any] = []
    append = replaced.append
    for key, h, value in zip(keys, hashes, values, strict=True):
        find, names, stored, deadlines, _, ages, uses = directory[h >> shift]
        remainder = h % 14280
        start = remainder // 255 * 14
        slot = find(remainder % 255 + 1, start, start + 28)
        if slot >= 0 and not deadlines and names[slot] == key:
            ages[slot] = uses[ages[slot]]
            append(stored[slot])
            stored[slot] = value
        else:
            append(table.put(b"%b" % key if copy_keys else key, h, value))
            directory, shift = table.directory
    return replaced


def revise_many(
    table: DashTable,
    keys: Sequence[bytes],
    hashes: Sequence[int],
    revise: Callable[[Any], Any],
    otherwise: Callable[[bytes, int], Any],
) -> tuple[list[Any], int]:
    """Put `revise(value)` in the place of each value, in order. O(keys).

    Args:
        revise: gives None for a value that it does not know.
        otherwise: `otherwise(key, h)` is called in its turn for what `revise` does not know, and for keys
            that are not where they mostly are.

    Returns:
        For each key the new value or what `otherwise` returned; how many bytes longer the values have become
        that were replaced here.
    """
    directory, shift = table.directory
    plain = not table.cut_version
    results: list[Any] = []
    append = results.append
    grown = 0
    for key, h in zip(keys, hashes, strict=True):
        find, names, values, deadlines, _, ages, uses = directory[h >> shift]
        remainder = h % 14280
        start = remainder // 255 * 14
        slot = find(remainder % 255 + 1, start, start + 28)
        if slot >= 0 and plain and not deadlines and names[slot] == key:
            value = values[slot]
            revised = revise(value)
            if revised is not None:
                ages[slot] = uses[ages[slot]]
                values[slot] = revised
                grown += len(revised) - len(value)
                append(revised)
                continue
        append(otherwise(key, h))
        directory, shift = table.directory
    return results, grown
