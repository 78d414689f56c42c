"""What a request costs with N threads: the Universal Scalability Law, with a term for hops.

Gunther's law gives the throughput of N processors as

    X(N) = N / (a * (1 + sigma * (N - 1) + kappa * N * (N - 1)))

so CPU time a request, N / X(N), is a straight sum: a constant, a part that grows with every other thread
(contention) and one that grows with every pair (coherency). Here more joins it. Of N threads only one owns
the key, so that a share f = 1 - 1/N of requests makes a hop. That grows fast at first and then no more, and
the law alone would take it for contention that grows for ever. A hop itself has a part for each request and
one for each message that carries requests, of which there are M a request (see `messages`). And where N
threads have only R < N cores, they take turns, which costs something that a machine with N cores does not
pay:

    c(N) = a + h*f + w*M + o*(1 - R/N) + s*(R - 1) + k*R*(R - 1)        a, h, w, o, s, k >= 0

R is N where there are as many cores; then sigma = s/a, kappa = k/a. `fit` finds the coefficients by least
squares of relative errors, without negative ones. Runs whose connections ask for their own thread's keys only
(f = M = 0) tell contention from hops. `bootstrap` draws rounds anew, for intervals.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

TERMS = ("local", "hop", "message", "switching", "contention", "coherency")
PLAIN = ("local", "others", "pairs")
"""The law as it stands, without hops, that takes threads for cores."""


def terms_for(cores: int) -> tuple[str, ...]:
    """Those that runs on so many cores can tell: contention and coherency are apart from three on only."""
    return TERMS if cores > 2 else tuple(name for name in TERMS if name != "coherency")


@dataclass(frozen=True, slots=True)
class Setting:
    """How a server was run: threads, the share of keys of other threads, connections, the depth of pipelines,
    and the cores that there were for the threads."""

    threads: int
    foreign: float
    connections: int
    pipeline: int
    cores: int

    @property
    def messages(self) -> float:
        """Messages a request, expected.

        A thread sends what goes to one other thread in one turn of its loop, or of one pipeline, as one
        message. So it is the number of other threads that a group of requests asks, by the size of the group,
        which is the pipeline, or without pipelines the connections of a thread, half of which have a request
        there when a turn begins.
        """
        others = self.threads - 1
        group = self.pipeline if self.pipeline > 1 else max(1.0, self.connections / self.threads / 2)
        if not others or not self.foreign:
            return 0.0
        hit = others * (1 - (1 - 1 / others) ** (group * self.foreign)) if others > 1 else 1.0
        return min(self.foreign, hit / group)

    def regressors(self) -> dict[str, float]:
        """The factors of TERMS and PLAIN."""
        running = min(self.threads, self.cores)
        return {
            "local": 1.0,
            "hop": self.foreign,
            "message": self.messages,
            "switching": 1 - running / self.threads,
            "contention": running - 1.0,
            "coherency": running * (running - 1.0),
            "others": self.threads - 1.0,
            "pairs": self.threads * (self.threads - 1.0),
        }


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients (microseconds) by term."""

    terms: dict[str, float]

    def cost(self, setting: Setting) -> float:
        """CPU microseconds a request."""
        factors = setting.regressors()
        return sum(value * factors[name] for name, value in self.terms.items())

    def throughput(self, setting: Setting) -> float:
        """Requests a second when every thread is busy on a core of its own."""
        return setting.threads / self.cost(setting) * 1e6

    @property
    def sigma(self) -> float:
        """The law's contention."""
        return self.terms.get("contention", 0.0) / self.terms["local"] if self.terms["local"] else 0.0

    @property
    def kappa(self) -> float:
        """The law's coherency."""
        return self.terms.get("coherency", 0.0) / self.terms["local"] if self.terms["local"] else 0.0


Observation = tuple[Setting, float]
"""A setting and CPU microseconds a request."""


def solve(matrix: list[list[float]], right: list[float]) -> list[float] | None:
    """Gaussian elimination with pivots; None if the matrix is singular. O(n**3)."""
    size = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for place in range(size):
        pivot = max(range(place, size), key=lambda at: abs(rows[at][place]))
        if abs(rows[pivot][place]) < 1e-12:
            return None
        rows[place], rows[pivot] = rows[pivot], rows[place]
        head = rows[place]
        for at in range(size):
            if at != place and rows[at][place]:
                factor = rows[at][place] / head[place]
                rows[at] = [mine - factor * its for mine, its in zip(rows[at], head, strict=True)]
    return [rows[at][size] / rows[at][at] for at in range(size)]


def least_squares(rows: list[list[float]], right: list[float]) -> tuple[float, list[float]]:
    """The non-negative solution with the least squares of errors, and those.

    That is the best of the solutions with some coefficients left at zero that has no negative one: there are
    few terms, so all are tried. O(2**terms * observations).
    """
    width = len(rows[0])
    best = sum(value * value for value in right), [0.0] * width
    for count in range(1, width + 1):
        for chosen in combinations(range(width), count):
            matrix = [[sum(row[i] * row[j] for row in rows) for j in chosen] for i in chosen]
            solved = solve(matrix, [sum(r[i] * y for r, y in zip(rows, right, strict=True)) for i in chosen])
            if solved is None or min(solved) < 0:
                continue
            full = [0.0] * width
            for at, value in zip(chosen, solved, strict=True):
                full[at] = value
            error = sum(
                (sum(a * b for a, b in zip(row, full, strict=True)) - y) ** 2
                for row, y in zip(rows, right, strict=True)
            )
            if error < best[0] * (1 - 1e-12):
                best = error, full
    return best


def fit(observations: Sequence[Observation], terms: Sequence[str] = TERMS) -> Fit:
    """The coefficients that explain the observations best; of each, the relative error counts."""
    rows, right = [], []
    for setting, cost in observations:
        factors = setting.regressors()
        rows.append([factors[name] / cost for name in terms])
        right.append(1.0)
    _, solved = least_squares(rows, right)
    return Fit(dict(zip(terms, solved, strict=True)))


def bootstrap(
    groups: Sequence[tuple[Setting, Sequence[float]]],
    terms: Sequence[str] = TERMS,
    draws: int = 200,
    seed: int = 1,
) -> list[Fit]:
    """Fits to rounds drawn anew, with repetition, within each setting: what other rounds might have told."""
    rng = random.Random(seed)
    fits = []
    for _ in range(draws):
        drawn = [(setting, middle(rng.choices(costs, k=len(costs)))) for setting, costs in groups]
        fits.append(fit(drawn, terms))
    return fits


def middle(values: Sequence[float]) -> float:
    """The median."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def interval(values: Sequence[float], share: float = 0.9) -> tuple[float, float]:
    """Between which bounds that share of the values lies, the rest on both sides alike."""
    ordered = sorted(values)
    cut = (1 - share) / 2
    low = ordered[int(cut * (len(ordered) - 1))]
    high = ordered[round((1 - cut) * (len(ordered) - 1))]
    return low, high
