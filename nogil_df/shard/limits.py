"""Up to what size Redis would store a collection in its compact form.

Our values have one form each, whatever their size; these bounds only decide which encoding OBJECT ENCODING
and its kin report, and where a stream is cut into blocks. A shard has an object of its own, because values
look at it on every write, and takes the figures over from the configuration of its thread (`set-max-*`,
`hash-max-*`, `list-max-*`, `zset-max-*`, `stream-node-*`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nogil_df.base.config import ConfigView


class EncodingLimits:
    """The bounds of one shard: the most entries, and the most bytes of one of them. Redis's defaults.

    `list_max_listpack_size` is the most entries of a list, or, if it is negative, a code for the most bytes.
    """

    __slots__ = (
        "hash_max_listpack_entries",
        "hash_max_listpack_value",
        "hll_sparse_max_bytes",
        "list_max_listpack_size",
        "set_max_intset_entries",
        "set_max_listpack_entries",
        "set_max_listpack_value",
        "stream_node_max_bytes",
        "stream_node_max_entries",
        "zset_max_listpack_entries",
        "zset_max_listpack_value",
    )

    def __init__(self) -> None:
        self.hash_max_listpack_entries = 512
        self.hash_max_listpack_value = 64
        self.hll_sparse_max_bytes = 3000
        self.list_max_listpack_size = -2
        self.set_max_intset_entries = 512
        self.set_max_listpack_entries = 128
        self.set_max_listpack_value = 64
        self.stream_node_max_bytes = 4096
        self.stream_node_max_entries = 100
        self.zset_max_listpack_entries = 128
        self.zset_max_listpack_value = 64

    def follow(self, config: ConfigView) -> None:
        """Take over what the configuration says. O(1)."""
        for name in self.__slots__:
            setattr(self, name, getattr(config, name))
