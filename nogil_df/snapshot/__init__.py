"""Snapshots: the data set of one moment in files, and back, without a fork.

A save takes a **cut** of every shard in one global transaction (`nogil_df.shard.dash` says what a cut is).
From then on each shard writes down its own buckets, a slice of them between two turns, and a bucket that a
command is about to change goes first (`cut`). What comes out are blobs, runs of records as the RDB format has
them (`records`). They go through a bounded **channel** (`channel`) to a thread that only writes
(`writing`): either all into one RDB file, or those of each shard into a file of the native set. Files are
written aside and take their places once they are safe on disk (`aside`); `names` knows what they are called.

Loading goes the other way: a thread reads, checks and splits (`rdb_scan`), and each shard's own thread makes
the values of its records (`records`), as everything that it stores. While a native file comes from a shard
of the same number among as many, nothing has to be split.

Below the commands, above the values: nothing here knows of clients or transactions. Threads and files are the
business of `writing` and `reading` alone, so the simulation runs all the rest.
"""
