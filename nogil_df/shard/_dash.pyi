from nogil_df.shard.dash import DashTable as DashTable
from nogil_df.shard.dash_many import get_many as get_many
from nogil_df.shard.dash_many import put_many as put_many
from nogil_df.shard.dash_many import revise_many as revise_many
