"""The image and the unit of systemd: as sound as can be told without containers; their steps really work."""

from __future__ import annotations

import configparser
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nogil_df import Server
from nogil_df.base.flag_parsing import parse_environment
from tests.dockerfile import ROOT, Building, read
from tests.patience import PATIENCE
from tests.resp import Connection, Reply
from tests.servers import free_port

DOCKERFILE = ROOT / "docker" / "Dockerfile"
STEPS = read(DOCKERFILE)


def test_the_image_is_what_a_careful_reader_expects() -> None:
    names = [name for name, _ in STEPS]
    for name, rest in STEPS:
        if name == "FROM":
            assert re.fullmatch(r"[a-z/]+:[a-z0-9.-]+( AS [a-z]+)?", rest), rest
            assert ":latest" not in rest
        elif name in ("ENTRYPOINT", "CMD"):
            assert json.loads(rest)
        elif name == "WORKDIR":
            assert rest.startswith("/")
        elif name == "RUN":
            assert "sudo" not in rest
            if "apt-get install" in rest:
                assert "apt-get update" in rest
                assert "--no-install-recommends" in rest
                assert "rm -rf /var/lib/apt/lists/*" in rest
            if "pip install --" in rest and "uv pip" not in rest:
                assert "--no-cache-dir" in rest
    assert "ADD" not in names
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert dict(STEPS)["USER"].split(":")[0].isdigit()
    assert dict(STEPS)["USER"] != "0"
    assert names.count("HEALTHCHECK") == names.count("ENTRYPOINT") == 1


def test_what_is_copied_is_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source
        for name, rest in STEPS
        if name == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert copied == kept


def test_the_steps_of_the_image(tmp_path: Path) -> None:
    """Build it in a directory; then start it as a container would, ask after its health, and end it."""
    building = Building(tmp_path)
    image = building.run_all(STEPS)
    assert (image.user, image.ports, image.volumes) == ("999:999", ["6379"], ["/data"])
    settings = {name: value for name, value in image.env.items() if name.startswith("DFLY_")}
    assert len(parse_environment(settings)) == len(settings)
    port = free_port()
    env = {**building.environment(), "DFLY_port": str(port)}
    env.pop("STAND_IN_PYTHON")
    command = json.loads(image.entrypoint)
    health = json.loads(re.sub(r"^.*?CMD ", "", building.inside(image.health)))
    with subprocess.Popen(
        [*command, "--bind", "127.0.0.1"], env=env, cwd=tmp_path / "data", stderr=subprocess.PIPE
    ) as server:
        try:
            deadline = time.monotonic() + PATIENCE
            while True:
                checked = subprocess.run(health, env=env, capture_output=True, text=True, check=False)
                if checked.returncode == 0 or time.monotonic() > deadline:
                    break
            assert (checked.returncode, checked.stdout) == (0, "+PONG\n")
            with Connection("127.0.0.1", port) as client:
                assert client.execute("SET", "a", "1") == Reply("+", b"OK")
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.stderr is not None
            logged = server.stderr.read().decode()
        assert server.wait(PATIENCE) == 0, logged
    assert [name for name in os.listdir(tmp_path / "data") if name.startswith("dump")], logged
    checked = subprocess.run(health, env=env, capture_output=True, text=True, check=False)
    assert checked.returncode == 1
    assert checked.stdout.startswith("no answer on port ")


def test_a_server_that_wants_a_password_is_well() -> None:
    with Server(threads=1, password="secret") as server:
        done = subprocess.run(
            [sys.executable, ROOT / "docker" / "health.py"],
            env={**os.environ, "DFLY_port": str(server.port)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, "-NOAUTH Authentication required.\n")


def test_compose_names_files_that_are_there() -> None:
    text = (ROOT / "docker" / "compose.yaml").read_text()
    for path in re.findall(r"- (\./[\w/]+):", text):
        assert (ROOT / "docker" / path).is_dir(), path
    for image in re.findall(r"image: (\S+)", text):
        assert image == "nogil-df" or re.search(r":v?\d", image), image
    for port in re.findall(r'ports: \["([^"]+)"\]', text):
        assert port.startswith("127.0.0.1:")
    dashboard = re.search(r"HOME_DASHBOARD_PATH: /var/lib/grafana/(\S+)", text)
    assert dashboard is not None
    assert (ROOT / "docker" / "grafana" / dashboard[1]).is_file()


def test_the_unit_of_systemd_starts_a_server_that_tells_when_it_is_ready(tmp_path: Path) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "systemd" / "nogil-df.service")
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["User"] == "nogil-df"
    flags = service["ExecStart"].split(" -m nogil_df ")[1].split()
    conf = tmp_path / "redis.conf"
    conf.write_text("port 0\nsave 60 1\nsupervised systemd\n")
    flags = [str(conf) if flag.endswith("redis.conf") else flag for flag in flags]
    flags = [f"--dir={tmp_path}" if flag.startswith("--dir=") else flag for flag in flags]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE)
        with subprocess.Popen(
            [sys.executable, "-m", "nogil_df", *flags, f"--unixsocket={tmp_path}/s"],
            env={**os.environ, "PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": str(tmp_path / "notify")},
            stderr=subprocess.DEVNULL,
        ) as server:
            assert systemd.recv(100) == b"READY=1"
            server.send_signal(signal.SIGTERM)
            assert systemd.recv(100) == b"STOPPING=1"
            assert server.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    "name", ["prometheus/prometheus.yml", "grafana/provisioning/datasources/prometheus.yml"]
)
def test_what_compose_mounts_is_there(name: str) -> None:
    assert (ROOT / "docker" / name).is_file()
