from nogil_df.shard.dash import DashTable
from nogil_df.shard.dash_many import get_many as get_many
from nogil_df.shard.dash_many import put_many as put_many
from nogil_df.shard.dash_many import revise_many as revise_many

def fill_numbered(
    table: DashTable, prefix: bytes, number: int, left: int, size: int, shard: int, shards: int, budget: int
) -> tuple[int, int]: ...
def prepare_process() -> None: ...
def give_memory_back() -> None: ...
