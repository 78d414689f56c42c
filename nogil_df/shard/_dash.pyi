from nogil_df.shard.dash import DashTable as DashTable
