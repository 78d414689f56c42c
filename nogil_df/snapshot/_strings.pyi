from collections.abc import Callable

from nogil_df.shard.dash import DashTable

def load_strings(
    table: DashTable, blob: bytes, start: int, now: int, override: bool
) -> tuple[int, int, int, int]: ...
def scan_strings(
    data: bytes,
    start: int,
    hash_key: Callable[[bytes], int],
    count: int,
    blobs: list[bytearray],
    named: list[int],
    database: int,
    most: int,
) -> tuple[int, int, int]: ...
