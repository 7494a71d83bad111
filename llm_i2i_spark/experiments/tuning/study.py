"""The trials of a search in a file, and the settings to try next: the only file that knows Optuna.

The file is a journal of Optuna, so that its own programs can open the study. It holds finished
trials only. What is tried next depends on the seed, the number of the trial and the trials before
it alone: a search that was interrupted takes the same trial again, and ends where it would have.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState, create_trial

from llm_i2i_spark.backbones.search_space import Choice
from llm_i2i_spark.experiments.tuning.space import SearchedOption
from llm_i2i_spark.experiments.tuning.trial import Trial

FILE = "optuna_journal.log"
TRIAL = "llm_i2i"
"""Attribute of Optuna's trials that holds a `Trial`."""


class Study:
    """Trials that are kept, and what comes next.

    Args:
        folder: of the study, which has its name; made where it is missing. One process at a time
            may open it: whoever does holds the lock of the lake.
        space: what is searched.
        seed: of the sampler, a tree-structured Parzen estimator (Bergstra, Bardenet, Bengio and
            Kegl, NIPS 2011) after ten random trials.
    """

    def __init__(self, folder: Path, space: Sequence[SearchedOption], seed: int) -> None:
        self._space, self._seed = {one.key: one for one in space}, seed
        path = folder / FILE
        folder.mkdir(parents=True, exist_ok=True)
        _mend(path)
        # A lock that a killed process left behind.
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        with _quiet():
            lock = JournalFileOpenLock(str(path))
            storage = JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
            self._kept = optuna.create_study(
                storage=storage, study_name=folder.name, direction="maximize", load_if_exists=True
            )

    @property
    def trials(self) -> list[Trial]:
        """Those that are finished, in order."""
        return [Trial.from_dict(one.user_attrs[TRIAL]) for one in self._kept.trials]

    def propose(self) -> dict[str, Any]:
        """The settings of the next trial, by dotted key."""
        known = self._kept.trials
        seed = int(np.random.SeedSequence([self._seed, len(known)]).generate_state(1)[0])
        with _quiet():
            sampler = optuna.samplers.TPESampler(seed=seed)
            asked = optuna.create_study(direction="maximize", sampler=sampler)
            asked.add_trials(known)
            drawn = asked.ask({key: _distribution(one) for key, one in self._space.items()})
        return {key: self._value(key, value) for key, value in drawn.params.items()}

    def add(self, trial: Trial) -> None:
        """Keep a finished trial."""
        params = {
            key: self._param(key, value)
            for key, value in trial.settings.items()
            if self._space[key].contains(value)
        }
        with _quiet():
            self._kept.add_trial(
                create_trial(
                    params=params,
                    distributions={key: _distribution(self._space[key]) for key in params},
                    value=trial.value,
                    state=TrialState.FAIL if trial.value is None else TrialState.COMPLETE,
                    user_attrs={TRIAL: trial.to_dict()},
                )
            )

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What is kept beside the trials."""
        return self._kept.user_attrs

    def keep(self, name: str, value: Any) -> None:
        """Keep something beside the trials.

        Args:
            name: of it.
            value: something that JSON can hold.
        """
        self._kept.set_user_attr(name, value)

    def _value(self, key: str, drawn: Any) -> Any:
        """What a setting gets for what Optuna drew."""
        option = self._space[key]
        if isinstance(option.domain, Choice):
            return option.labels()[drawn]
        return option.rounded(drawn)

    def _param(self, key: str, value: Any) -> Any:
        """What Optuna knows for the value of a setting."""
        option = self._space[key]
        if isinstance(option.domain, Choice):
            return next(label for label, one in option.labels().items() if one == value)
        return value


def _distribution(option: SearchedOption) -> BaseDistribution:
    domain = option.domain
    if isinstance(domain, Choice):
        return CategoricalDistribution(list(option.labels()))
    if option.whole:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def _mend(path: Path) -> None:
    """Cut off a last line that a killed process has not finished."""
    if path.is_file():
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            path.write_bytes(whole)


@contextmanager
def _quiet() -> Iterator[None]:
    """Let Optuna say nothing of its own: what there is to say, the search says."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)
