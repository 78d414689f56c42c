"""A Dockerfile, read, and carried out without containers: each step in a plain directory that stands for `/`.

What only an image has or may do (packages of the distribution, users, owners, a Python from the network) is
done by small programs of the same names that are found first; everything else really happens. So a step that
names a file that is not there, or a command that fails, fails here too.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

STEP_SECONDS = 240
"""How long one step may take."""

STAND_INS = {
    "apt-get": "exit 0",
    "groupadd": "exit 0",
    "useradd": "exit 0",
    "pip": "exit 0",
    # Owners and modes are the image's.
    "install": 'for last; do :; done; exec mkdir -p "$last"',
    # The interpreter that runs the tests stands for the one that uv would fetch, and has all that is needed.
    "uv": """
case "$1 $2" in
"python install") exit 0 ;;
"venv --python") exec "$STAND_IN_PYTHON" -m venv "$4" ;;
"pip install")
    case "$5" in *'['*) ;; *) echo "no extras: $5" >&2; exit 1 ;; esac
    echo "$STAND_IN_PACKAGES" > "$(echo "${4%/bin/python}"/lib/python*/site-packages)/more.pth"
    exec "$4" -m pip install --quiet --no-deps --no-build-isolation --no-index "${5%%[*}" ;;
esac
echo "unknown: uv $*" >&2
exit 1
""",
}


@dataclass
class Image:
    """What is known of the image once all is done: the settings of its last stage."""

    base: str = ""
    env: dict[str, str] = field(default_factory=dict)
    user: str = ""
    directory: str = "/"
    entrypoint: str = ""
    health: str = ""
    ports: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)


def read(path: Path) -> list[tuple[str, str]]:
    """The instructions of a file: name in upper case, and the rest with its continued lines joined."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n", " ", "\n".join(lines))
    found = [line.strip().split(None, 1) for line in text.splitlines() if line.strip()]
    return [(words[0].upper(), re.sub(r"\s+", " ", words[1])) for words in found]


class Building:
    """The steps of a Dockerfile, carried out below `place`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.image = Image()
        self.stand_ins = place / "stand-ins"
        self.stand_ins.mkdir()
        for name, script in STAND_INS.items():
            program = self.stand_ins / name
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)

    def inside(self, text: str) -> str:
        """The text with the absolute paths of the image moved to where they are here."""
        return re.sub(r"(?<![\w.])/(?=(?:opt|src|data|var)\b)", f"{self.place}/", text)

    def environment(self) -> dict[str, str]:
        """What a program of the image sees."""
        env = {name: self.inside(value) for name, value in self.image.env.items()}
        path = [str(self.stand_ins), env.pop("PATH", ""), os.environ["PATH"]]
        return {
            **env,
            "PATH": os.pathsep.join(filter(None, path)),
            "HOME": str(self.place),
            "NOGIL_DF_PURE": "1",
            "STAND_IN_PYTHON": sys.executable,
            "STAND_IN_PACKAGES": next(entry for entry in sys.path if entry.endswith("site-packages")),
        }

    def run_all(self, steps: list[tuple[str, str]]) -> Image:
        """Carry the steps out; the image. Raises AssertionError for one that fails."""
        for name, rest in steps:
            getattr(self, f"do_{name.lower()}")(rest)
        return self.image

    def do_from(self, rest: str) -> None:
        self.image = Image(base=rest.split()[0])

    def do_env(self, rest: str) -> None:
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            self.image.env[name] = value

    def do_run(self, rest: str) -> None:
        done = subprocess.run(
            ["/bin/sh", "-ec", self.inside(rest)],
            env=self.environment(),
            cwd=self.place,
            capture_output=True,
            text=True,
            timeout=STEP_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"RUN {rest}\n{done.stdout}{done.stderr}"

    def do_copy(self, rest: str) -> None:
        words = [word for word in rest.split() if not word.startswith("--")]
        if "--from=" in rest:
            return  # All stages are one directory here.
        *sources, target = words
        place = Path(self.inside(target))
        for source in sources:
            found = ROOT / source
            assert found.exists(), f"COPY {rest}: there is no {source}"
            if found.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.so", "compiled.txt", "node_modules")
                shutil.copytree(found, place, ignore=ignored)
            else:
                to = place / found.name if target.endswith("/") else place
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(found, to)

    def do_user(self, rest: str) -> None:
        self.image.user = rest

    def do_workdir(self, rest: str) -> None:
        self.image.directory = rest

    def do_volume(self, rest: str) -> None:
        self.image.volumes.append(rest)

    def do_expose(self, rest: str) -> None:
        self.image.ports.append(rest)

    def do_healthcheck(self, rest: str) -> None:
        self.image.health = rest

    def do_entrypoint(self, rest: str) -> None:
        self.image.entrypoint = rest
