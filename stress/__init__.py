"""Stress suites: what must hold while many clients write at once, on real threads and on simulated servers.

`make stress` runs them; `make stress ARGS="--seconds 600"` sets how long each scenario runs, `--seeds` how
many interleavings of it are simulated. stress/README.md tells what there is, and how a failing seed is
played again.
"""
