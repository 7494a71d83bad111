"""One command from its arguments to its exit code: 0 done, 1 failed, 2 the user can mend it.

Results go to standard output, messages and errors to standard error.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from llm_i2i_spark.base.console import set_console
from llm_i2i_spark.base.disk_errors import disk_error
from llm_i2i_spark.base.errors import LlmI2iError, hides_interrupt
from llm_i2i_spark.base.extras import optional_imports
from llm_i2i_spark.base.redaction import redact
from llm_i2i_spark.cli.options import Handler
from llm_i2i_spark.cli.parser import build_parser
from llm_i2i_spark.cli.session import OutputClosedError, flush_output
from llm_i2i_spark.config.config import Config
from llm_i2i_spark.config.files import load_config

INTERRUPTED, OUTPUT_CLOSED = 128 + signal.SIGINT, 128 + signal.SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: without the program's name; None for the process's own.

    Returns:
        The exit code.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    set_console("terminal")
    log = _Log()
    try:
        options = _parse(arguments)
        config = log.config = _load(options)
        execute: Handler = options.execute
        with optional_imports():
            execute(options, config)
    except OutputClosedError:
        return OUTPUT_CLOSED
    except (Exception, KeyboardInterrupt) as error:
        return _failed(log, error)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    try:
        return build_parser().parse_args(arguments)
    except SystemExit:
        flush_output()  # of --help
        raise


class _Log(logging.Handler):
    """Where libraries' log records and the traceback of an unexpected error go: Spark's own log,
    or, for a command that needed no Spark, a file in the temporary folder.

    py4j reports an interrupted call with a stack trace to the root logger, which would otherwise
    write it on the screen. Handlers that the root logger has already are left to do their work.
    """

    config: Config | None = None

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        root = logging.getLogger()
        if not root.handlers:
            root.addHandler(self)

    @property
    def path(self) -> Path:
        """The file."""
        if "pyspark" not in sys.modules:
            return Path(tempfile.gettempdir()) / "llm-i2i.log"
        from llm_i2i_spark.lake.session import log_file

        return log_file((self.config or Config()).lake)

    def emit(self, record: logging.LogRecord) -> None:
        """Append one record."""
        try:
            self.append(self.format(record))
        except OSError:
            self.handleError(record)

    def append(self, text: str) -> None:
        """Append some lines, without secrets.

        Raises:
            OSError: the file cannot be written to.
        """
        with self.path.open("a", encoding="utf-8") as file:
            file.write(redact(text.rstrip()) + "\n")


def _load(options: argparse.Namespace) -> Config:
    if options.command != "quickstart":
        return load_config(options.config, options.set)
    from llm_i2i_spark.cli.quickstart import quickstart_config

    return quickstart_config(options.workdir, options.set, options.chat_model)


def _failed(log: _Log, error: Exception | KeyboardInterrupt) -> int:
    """Say in one sentence how a command ended; its exit code."""
    if isinstance(error, KeyboardInterrupt) or hides_interrupt(error):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the session is stopped in peace
        return _fail("Stopped; the same command goes on from the last complete stage.", INTERRUPTED)
    if isinstance(error, LlmI2iError):
        internal = error.exit_code == 1 and error.__cause__ is not None
        return _fail(_with_log(log, str(error)) if internal else str(error), error.exit_code)
    met = disk_error(error)
    if met is not None:
        return _fail(str(met), met.exit_code)
    return _fail(_with_log(log, _unexpected(error)), 1)


def _unexpected(error: Exception) -> str:
    """What went wrong that nobody foresaw, in one line."""
    if "pyspark" in sys.modules:
        from llm_i2i_spark.lake.spark_errors import is_of_spark, spark_reason

        if is_of_spark(error):
            return f"Spark failed: {spark_reason(error)}."
    first = (str(error).splitlines() or [""])[0][:200]
    return f"Unexpected {type(error).__name__}: {first}."


def _with_log(log: _Log, message: str) -> str:
    """The message with the name of the log, which gets the whole traceback."""
    try:
        log.append(traceback.format_exc())
    except OSError:
        return message
    return f"{message.rstrip('.')} (the whole of it is in {log.path})."


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"llm-i2i: {redact(message)}\n")
    return code


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
