"""What can go wrong, in three kinds. A message is one sentence that says what to do next."""


class LlmI2iError(Exception):
    """Root of every error this package raises on purpose."""


class UserError(LlmI2iError):
    """A mistake the user can mend: a wrong key, a missing file, an empty log. Exit code 2."""


class MissingDependencyError(UserError):
    """The machine lacks something: Java, a compiler, a package, the network. Exit code 2."""


class StageError(LlmI2iError):
    """A stage failed on data or in a worker. Names the stage and the table. Exit code 1."""
