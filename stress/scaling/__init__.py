"""How throughput grows with threads: measured as far as this machine goes, projected beyond it.

`make scaling`, or `python -X gil=0 -m stress.scaling`. One run answers four questions, and each has a module:

    what load?          profiles: the machines and memtier_benchmark's arguments of the published figures
    who sends it?       memtier, redis_benchmark: tools, where they are installed; generator: our own
    what does it cost?  sampling: CPU time a request, in rounds, for keys of the own thread and of others
    and with 64 cores?  usl: the Universal Scalability Law with a term for hops, fitted to these costs;
                        queueing: a discrete-event simulation of connections, threads and hops

A machine with as many cores as the profile measures it; for bigger ones the fit is projected, marked as such
everywhere, with an interval that holds what the measurements leave open. `published` has the figures of
others to compare with, each with its source.

The figure that a small machine can tell is not requests per second, as server and load generator share its
cores, but CPU time per request. A thread that is always busy serves one over that many requests a second.
"""
