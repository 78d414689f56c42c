"""Memcached's commands on database 0: the rows of a second dispatcher, with its own encoder.

A Memcached client is a session like any other. Only its parser (`nogil_df.wire.memcached`), its command table
and the words of its replies differ; keys, hops, squashing, statistics, pauses and limits are those of
`nogil_df.commands`.
"""
