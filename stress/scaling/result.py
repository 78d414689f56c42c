"""All that one run found out, and its form in JSON, from which the report can be written anew."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from bench import snapshot
from bench.environment import Environment
from stress.scaling.check import Check
from stress.scaling.footprint import Filling, Footprint
from stress.scaling.model import Model, models
from stress.scaling.projection import Projection
from stress.scaling.sampling import Series


@dataclass(frozen=True, slots=True)
class Result:
    """`versions` tells of the servers and of the load generator, `seconds` how long a round was."""

    environment: Environment
    rounds: int
    seconds: float
    versions: dict[str, str]
    tool: str
    series: list[Series]
    checks: list[Check]
    projections: list[Projection]
    footprints: list[Footprint]
    fillings: list[Filling]
    snapshots: list[snapshot.Run]
    snapshot_keys: int

    @property
    def models(self) -> list[Model]:
        """The fits, made anew from the series."""
        return models(self.series, self.environment.cpus)

    def to_json(self) -> str:
        """The whole result; `from_json` reads it back."""
        plain: dict[str, Any] = {
            "environment": self.environment.as_dict(),
            "rounds": self.rounds,
            "seconds": self.seconds,
            "versions": self.versions,
            "tool": self.tool,
            "series": [one.as_dict() for one in self.series],
            "checks": [one.as_dict() for one in self.checks],
            "projections": [one.as_dict() for one in self.projections],
            "footprints": [asdict(one) for one in self.footprints],
            "fillings": [asdict(one) for one in self.fillings],
            "snapshots": [asdict(one) for one in self.snapshots],
            "snapshot_keys": self.snapshot_keys,
        }
        return json.dumps(plain, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Result:
        """The inverse of `to_json`."""
        plain = json.loads(text)
        plain["environment"] = Environment(**plain["environment"])
        plain["series"] = [Series.from_dict(one) for one in plain["series"]]
        plain["checks"] = [Check.from_dict(one) for one in plain["checks"]]
        plain["projections"] = [Projection.from_dict(one) for one in plain["projections"]]
        plain["footprints"] = [Footprint(**one) for one in plain["footprints"]]
        plain["fillings"] = [Filling(**one) for one in plain["fillings"]]
        plain["snapshots"] = [snapshot.Run(**one) for one in plain["snapshots"]]
        return cls(**plain)
