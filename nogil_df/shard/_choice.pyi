from nogil_df.shard.choice import visit as visit
