from collections.abc import Callable

from nogil_df.shard.dash import DashTable
from nogil_df.shard.dash_segment import AgedRecord

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
def pack_strings(blob: bytearray) -> bytearray | None: ...

class StringTaker:
    def __init__(
        self,
        head: bytes,
        ages: list[bytes] | None,
        full: int,
        on_others: Callable[[list[AgedRecord]], object],
        on_full: Callable[[], object],
        on_error: Callable[[Exception], object],
    ) -> None: ...
    def __call__(self, records: list[AgedRecord]) -> None: ...
    def __len__(self) -> int: ...
    def hand_over(self) -> bytearray: ...
    def take_count(self) -> int: ...
