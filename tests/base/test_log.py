"""The log: lines, levels, files, rotation, threads."""

from __future__ import annotations

import io
import os
import re
import threading
from pathlib import Path

import pytest

from nogil_df.base import log
from nogil_df.base.flags import Options
from nogil_df.base.interpreter import describe, is_free_threaded, is_gil_enabled
from nogil_df.base.log import DEBUG, NOTICE, VERBOSE, WARNING, Log, RotatingFile, format_line, level_of

LINE = re.compile(r"\d+:M \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d\.\d{3} [.\-*#] .*")


def test_lines_look_like_those_of_redis() -> None:
    line = format_line(WARNING, "message", 1_700_000_000.25)
    assert LINE.fullmatch(line)
    assert line.startswith(f"{os.getpid()}:M ")
    assert line.endswith(".250 # message")
    marks = [format_line(level, "x", 0.0)[-3] for level in (DEBUG, VERBOSE, NOTICE, WARNING)]
    assert marks == [".", "-", "*", "#"]


def test_what_a_client_sent_neither_begins_a_line_nor_commands_a_terminal() -> None:
    forged = "x\r\n" + format_line(WARNING, "forged", 0.0) + "\x1b[2J\x9b\x00"
    first, second = format_line(WARNING, forged, 0.0).split("\n")
    assert first.endswith("# x\\x0d")
    assert not LINE.match(second)
    assert second.endswith("forged\\x1b[2J\\x9b\\x00")


@pytest.mark.parametrize(
    ("flags", "level"),
    [
        ({}, NOTICE),
        ({"loglevel": "debug"}, DEBUG),
        ({"v": 1}, VERBOSE),
        ({"v": 2}, DEBUG),
        ({"v": 2, "loglevel": "notice"}, NOTICE),
        ({"minloglevel": 1, "loglevel": "debug"}, WARNING),
    ],
)
def test_the_level_that_flags_ask_for(flags: dict[str, object], level: int) -> None:
    assert level_of(Options(**flags)) == level


def test_only_messages_of_the_level_are_written() -> None:
    stderr = io.StringIO()
    target = Log(stderr, now=lambda: 0.0)
    target.write(VERBOSE, "quiet")
    target.write(NOTICE, "loud")
    target.level = DEBUG
    target.write(DEBUG, "all")
    assert [line.split()[-1] for line in stderr.getvalue().splitlines()] == ["loud", "all"]


@pytest.mark.parametrize(
    ("flags", "to_stderr", "to_file"),
    [({}, False, True), ({"logtostderr": True}, True, False), ({"alsologtostderr": True}, True, True)],
)
def test_where_the_lines_go(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    flags: dict[str, bool],
    to_stderr: bool,
    to_file: bool,
) -> None:
    target = Log()
    directory = tmp_path / "logs"
    target.open(Options(log_dir=str(directory), **flags))
    target.write(WARNING, "here")
    target.close()
    file = directory / log.FILE_NAME
    assert ("here" in capsys.readouterr().err) is to_stderr
    assert file.exists() is to_file
    assert not to_file or "here" in file.read_text()
    target.write(WARNING, "afterwards")
    assert "afterwards" in capsys.readouterr().err


def test_a_log_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        Log().open(Options(log_dir=str(tmp_path / "file" / "logs")))


def test_files_are_rotated_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = RotatingFile(str(path), limit=10)
    for number in range(9):
        file.write(f"line {number}\n")
    file.close()
    assert path.read_text() == "line 8\n"
    kept = [(tmp_path / f"log.{age}").read_text() for age in range(1, log.OLD_FILES + 1)]
    assert kept == [f"line {number}\n" for number in (7, 6, 5, 4, 3)]
    assert len(os.listdir(tmp_path)) == 1 + log.OLD_FILES


def test_a_file_is_appended_to_and_its_old_size_counts(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for text in ("one\n", "two\n", "three\n"):
        file = RotatingFile(str(path), limit=10)
        file.write(text)
        file.close()
    assert path.read_text() == "three\n"
    assert (tmp_path / "log.1").read_text() == "one\ntwo\n"


def test_a_log_that_cannot_be_written_to_stops_nothing() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    closed = io.StringIO()
    closed.close()
    Log(Full()).write(WARNING, "lost")
    Log(closed).write(WARNING, "lost")


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    target = Log()
    target.open(Options(log_dir=str(tmp_path)))
    start = threading.Barrier(4)

    def work(name: str) -> None:
        start.wait()
        for number in range(200):
            target.write(NOTICE, f"{name} {number} " + name * 50)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    target.close()
    lines = (tmp_path / log.FILE_NAME).read_text().splitlines()
    assert len(lines) == 800
    seen = dict.fromkeys("abcd", 0)
    for line in lines:
        assert LINE.fullmatch(line)
        name, number, text = line.split(" * ")[1].split()
        assert (int(number), text) == (seen[name], name * 50)
        seen[name] += 1


def test_the_functions_of_the_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert log.LOG.level == NOTICE
    log.set_level("verbose")
    try:
        assert log.enabled(VERBOSE)
        assert not log.enabled(DEBUG)
        log.debug("one")
        log.verbose("two")
        log.notice("three")
        log.warning("four")
    finally:
        log.set_level("notice")
    lines = capsys.readouterr().err.splitlines()
    assert [line[-len("four") :].strip("- *#") for line in lines] == ["two", "hree", "four"]


def test_the_banner_says_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    log.banner(["127.0.0.1:7000", "/tmp/socket"], threads=2, shards=1)
    text = capsys.readouterr().err
    assert f"pid {os.getpid()}" in text
    assert "2 threads, 1 shard\n" in text
    assert "listening on 127.0.0.1:7000, /tmp/socket" in text
    assert describe() in text


def test_the_interpreter_is_described() -> None:
    assert ("free-threaded" in describe()) == is_free_threaded()
    assert ("GIL on" in describe()) == is_gil_enabled()
