"""Stress suites: what must hold while many clients write at once, on real threads and sockets, for minutes.

`make stress` runs them; `make stress ARGS="--seconds 600"` sets how long each scenario runs. They find what
the seeded simulation cannot: races of real threads. A failure tells what was seen, and by which client.
"""
