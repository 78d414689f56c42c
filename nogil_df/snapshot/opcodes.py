"""What stands between the records of an RDB file. Source: the description of the RDB file format."""

from __future__ import annotations

from typing import Final

MAGIC: Final = b"REDIS"
MAGIC_OF_VALKEY: Final = b"VALKEY"
"""Since Valkey 9. One digit less follows."""
HEAD: Final = 9
"""Bytes of the magic word and the digits of the version."""
CHECKSUM: Final = 8
CHECKSUMS_SINCE: Final = 5
"""Version from which a checksum ends the file; 0 stands for none."""

CLIENT_FLAGS: Final = 243
"""Flags that a Memcached client gave a string; Redis has none, so only native files hold them."""
SLOT: Final = 244
"""Sizes of a slot of a cluster: slot, keys, keys that expire."""
FUNCTION: Final = 245
"""The code of a library."""
FUNCTION_DRAFT: Final = 246
"""As release candidates of 7.0 wrote libraries."""
MODULE_AUX: Final = 247
IDLE: Final = 248
"""Seconds since the record's last use."""
FREQUENCY: Final = 249
"""One byte: how often the record is used, 255 at most."""
AUX: Final = 250
"""Name and value of something about the file."""
SIZES: Final = 251
"""Keys of the database, and those that expire."""
DEADLINE_MS: Final = 252
DEADLINE: Final = 253
DATABASE: Final = 254
END: Final = 255
