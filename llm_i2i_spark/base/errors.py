"""What can go wrong, by who can mend it. A message is one sentence that says what to do next."""

from __future__ import annotations

from llm_i2i_spark.base.redaction import redact


class LlmI2iError(Exception):
    """Root of every error that this package raises on purpose. Its message has no secrets.

    Attributes:
        exit_code: of a command that ends with it: 2 where the user can mend it, 1 otherwise.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(redact(message))


class UserError(LlmI2iError):
    """Something the user can mend: a wrong option, a missing table, an empty log."""

    exit_code = 2


class ConfigError(UserError):
    """An option, or a combination of options, that cannot be used: unknown key, wrong value, a
    variant, backbone or stage that does not exist.
    """


def require_at_least_one(name: str, number: int) -> None:
    """Check a number of things that somebody asks for.

    Raises:
        ConfigError: it is below 1.
    """
    if number < 1:
        raise ConfigError(f"{name} must be at least 1, and is {number}.")


class InputDataError(UserError):
    """Raw data or a file of the user's that is missing, unreadable, empty or of the wrong form."""


class DamagedFileError(UserError):
    """A file of the lake, of a checkpoint or of an export that is missing, or not what was written
    into it; a jar that is not what was published.
    """


class TableNotFoundError(UserError):
    """A table of the lake, a version of it, or the rows of a variant and backbone in it, that is
    not there yet.
    """


class MissingDependencyError(UserError):
    """Something the machine lacks: Java, a compiler, a Python package, the network."""


class StageError(LlmI2iError):
    """A stage failed on data or in a worker. The message names the stage and the table."""


class ConcurrentWriteError(StageError):
    """Another run committed to a table between the reading and the commit of this one, which left
    nothing. The same command can be given again.
    """


class AuditError(LlmI2iError):
    """An audit that found something that is not as it must be."""


def hides_interrupt(error: BaseException | None, handled: BaseException | None = None) -> bool:
    """Whether Ctrl-C was met on the way to an error, or is it: the bridge to the JVM, interrupted
    in a call, may fail to tidy up.

    Args:
        error: in question.
        handled: what was being handled already when the work began that ended in it.
    """
    while error is not None and error is not handled:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
