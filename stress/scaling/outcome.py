"""What one run of a load generator tells, whichever it was; and what it was of."""

from __future__ import annotations

from dataclasses import dataclass


class GeneratorError(RuntimeError):
    """A load generator failed, or got other replies than it should have."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Throughput and latencies as clients saw them.

    `requests` is all that were answered, warming up included: what the server's CPU time is divided by.
    Latencies are milliseconds; that of 99.9 % is None where the generator does not tell. `busy` is the share
    of its time in which the busiest process or thread of the generator computed or waited for a core: close
    to 1, and the generator (or the machine that it shares with the server) limits what was measured, not the
    server alone. `client_us` is the CPU time that a request cost the generator, microseconds.
    """

    requests: int
    rps: float
    p50_ms: float
    p99_ms: float
    p999_ms: float | None
    busy: float | None
    client_us: float | None = None

    @property
    def limited(self) -> bool:
        """Whether the generator could hardly have sent more."""
        return self.busy is not None and self.busy > 0.9
