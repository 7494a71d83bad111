"""Messages and progress: shown without any set-up, and ruled by `logging` alone."""

from __future__ import annotations

import fcntl
import logging
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest

from llm_i2i_spark.base import console
from llm_i2i_spark.base.console import Progress, log_message, pace, set_console, track

LOGGER = logging.getLogger("llm_i2i_spark")
TWO_LINES = (
    "from llm_i2i_spark.base.console import log_message, track\n"
    "log_message('begun')\n"
    "assert list(track('abc', 'read', 3)) == ['a', 'b', 'c']\n"
    "log_message('done')\n"
)


@pytest.fixture(autouse=True)
def _as_at_the_start() -> Iterator[None]:
    level = LOGGER.level
    set_console("auto")
    yield
    set_console("auto")
    LOGGER.setLevel(level)


def test_a_program_without_logging_sees_messages_on_standard_error(
    capfd: pytest.CaptureFixture[str],
) -> None:
    log_message("100 % done")
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "100 % done\n")


def test_a_level_silences_messages_and_lines_of_progress(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "LINE_EVERY_SECONDS", 0.0)
    assert list(track([7, 8], "read", 2)) == [7, 8]
    assert capfd.readouterr().err.startswith("  read: 1 of 2 rows, ")
    LOGGER.setLevel(logging.WARNING)
    log_message("x")
    assert list(track([7, 8], "read", 2)) == [7, 8]
    assert capfd.readouterr() == ("", "")


def test_the_silent_console_leaves_the_record_to_the_program(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    set_console("silent")
    log_message("for the program alone")
    assert capfd.readouterr() == ("", "")
    assert caplog.record_tuples == [("llm_i2i_spark", logging.INFO, "for the program alone")]


def test_what_the_programs_own_logging_shows_is_not_shown_twice() -> None:
    basic = "import logging; logging.basicConfig(format='mine: %(message)s')\n"
    assert _standard_error(basic + TWO_LINES) == ["mine: begun", "mine: done"]


def test_a_level_set_before_the_import_stays() -> None:
    quiet = "import logging; logging.getLogger('llm_i2i_spark').setLevel('ERROR')\n"
    assert _standard_error(quiet + TWO_LINES) == []


def test_a_notebook_gets_lines_in_the_cell_and_no_bar_without_widgets(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.setattr(console, "LINE_EVERY_SECONDS", 0.0)
    set_console("notebook")
    with Progress("generate", 10) as progress:
        progress.update(5, note="loss 0.1")
    shown = capfd.readouterr()
    assert shown.out.startswith("  generate: 5 of 10 rows, ")
    assert shown.out.endswith("loss 0.1\n")
    assert shown.err == ""


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end() -> None:
    outside, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))  # rows, columns
    subprocess.run([sys.executable, "-c", TWO_LINES], stderr=inside, check=True)
    os.close(inside)
    shown = b""
    try:
        while part := os.read(outside, 4096):
            shown += part
    except OSError:  # how Linux says that nobody holds the terminal any more
        pass
    assert b"read:" in shown
    assert b"3/3" in shown
    # What a terminal still shows of a line is what stands behind its last carriage return.
    lines = [line.rpartition("\r")[2] for line in shown.decode().split("\r\n")]
    assert lines == ["begun", "done", ""]


def _standard_error(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stderr.splitlines()


def test_slow_work_has_a_pace_too() -> None:
    assert pace(250, 100) == "2.5 a second"
    assert pace(4, 100) == "2.4 a minute"
    assert pace(0, 100) == "0.0 a second"
