"""Benchmarks of nogil-df: what a request costs, beside redis-server, and whether shards contend.

`python -X gil=0 -m bench` is the comparison, `python -X gil=0 -m bench.contention` the in-process check that
two shard threads do not slow each other down, `python -m bench.profile` tells where the time goes.

The figure that counts is CPU time per request (all threads of the server, user and kernel), because it hardly
changes with what else the machine is doing, where requests per second do. Ratios are taken within a round,
between servers measured within the same seconds, before the median over the rounds is taken.
"""
