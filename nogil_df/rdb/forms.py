"""The numbers of the forms in which a value can be written, and in which version of the format they appeared.

A version stands at the head of a file and in the footer of a DUMP. A server reads all versions up to its own:
9 is Redis 5 and 6, 10 is 7.0, 11 is 7.2 and Valkey 7.2 and 8, 12 is 7.4 and 8, 80 is Valkey 9.
"""

from __future__ import annotations

from typing import Final

WIDELY_READ: Final = 10
"""The version that is written unless a value needs a newer one: Redis 7.0 and everything later reads it."""

NEWEST: Final = 12
"""The newest version that is read and written."""

VALKEY: Final = 80
"""The version of Valkey 9, which is read: its numbers and some of its forms are its own since then."""

SET_LISTPACKS_SINCE: Final = 11
STREAMS_3_SINCE: Final = 11
FIELD_DEADLINES_SINCE: Final = 12

STRING: Final = 0
LIST: Final = 1
SET: Final = 2
SORTED_SET: Final = 3
HASH: Final = 4
SORTED_SET_2: Final = 5
MODULE_1: Final = 6
MODULE_2: Final = 7
HASH_ZIPMAP: Final = 9
LIST_ZIPLIST: Final = 10
SET_INTSET: Final = 11
SORTED_SET_ZIPLIST: Final = 12
HASH_ZIPLIST: Final = 13
LIST_QUICKLIST: Final = 14
STREAM_1: Final = 15
HASH_LISTPACK: Final = 16
SORTED_SET_LISTPACK: Final = 17
LIST_QUICKLIST_2: Final = 18
STREAM_2: Final = 19
SET_LISTPACK: Final = 20
STREAM_3: Final = 21
HASH_DEADLINES_DRAFT: Final = 22
"""As 24 and 25, in which release candidates of 7.4 wrote them: without the first deadline."""
HASH_LISTPACK_DEADLINES_DRAFT: Final = 23
HASH_DEADLINES: Final = 24
HASH_LISTPACK_DEADLINES: Final = 25
HASH_VALKEY: Final = 200
"""Fields with deadlines as Valkey has them. Our number: in its files it is 22, which Redis has otherwise."""
HASH_VALKEY_THERE: Final = 22

NODE_PLAIN: Final = 1
"""A node of a quicklist that is one element."""
NODE_PACKED: Final = 2
"""A node of a quicklist that is a listpack."""
