"""Routers that learn from rewards which child does best: epsilon-greedy and Thompson sampling.

They are classes of the component convention like a user's own. Given a folder, they keep there what they learned
(`kept_counts`), so a worker that is started again goes on where it was, and replicas learn from each other's rewards.
"""

import logging
import random
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fairlead.runtimes.kept_counts import Counts, KeptCounts

_log = logging.getLogger(__name__)


class _Bandit(ABC):
    """Successes and tries of each branch. `choose` is what makes a kind of bandit. `keep_state` says whether what it
    learns outlives the process, in the folder `state`."""

    kind: ClassVar[str]

    def __init__(
        self,
        *,
        n_branches: int,
        verbose: bool = False,
        seed: int | None = None,
        history: bool = False,
        branch_names: str = "",
        keep_state: bool = True,
        state: Path | None = None,
        **_: object,
    ) -> None:
        if n_branches <= 0:
            raise ValueError(f"n_branches must be greater than 0, not {n_branches}")
        names = branch_names.split(":") if branch_names else [str(branch) for branch in range(n_branches)]
        if len(names) != n_branches:
            raise ValueError(f"branch_names has {len(names)} names for {n_branches} branches: {branch_names}")
        self.names = names
        self.chance = random.Random(seed)  # noqa: S311 - a choice of branch, not a secret
        self._kept: KeptCounts | None = None
        self._counts = Counts.none(n_branches)
        if state is not None and keep_state:
            self._kept = KeptCounts(state, kind=self.kind, branches=n_branches)
            self._counts = self._kept.open()
        self._verbose = verbose
        self._has_history = history
        self._lock = threading.Lock()

    @property
    def successes(self) -> list[int]:
        """Of each branch."""
        return self._counts.successes

    @property
    def tries(self) -> list[int]:
        """Of each branch."""
        return self._counts.tries

    def route(self, _features: Any, _names: Any) -> int:
        """The branch for one message."""
        with self._lock:
            self._hear()
            branch = self.choose()
        if self._verbose:
            _log.info("routed to branch %s", self.names[branch])
        return branch

    def send_feedback(
        self, features: Any, _names: Any, reward: float, _truth: Any, *, routing: int | None = None
    ) -> None:
        """Count a reward for the branch that answered: each row is a try, `reward` the share that succeeded."""
        if routing is None or not 0 <= routing < len(self.tries):
            _log.warning("a reward without the branch that earned it is not counted (routing: %s)", routing)
            return
        rows = len(features) if isinstance(features, np.ndarray | list) else 1
        with self._lock:
            self._count(routing, rows, reward)
            self.learned()
        if self._verbose:
            _log.info("branch %s: %d of %d", self.names[routing], self.successes[routing], self.tries[routing])

    @abstractmethod
    def choose(self) -> int:
        """The branch, by what is known now. Called with the lock held."""

    def learned(self) -> None:  # noqa: B027 - not every bandit draws a conclusion
        """After a reward was counted. Called with the lock held."""

    def _count(self, branch: int, rows: int, reward: float) -> None:
        shared = None
        if self._kept is not None:
            shared = self._kept.add(branch, rows, reward, with_history=self._has_history)
        if shared is None:
            self._counts.add(branch, rows, reward, with_history=self._has_history)
        else:
            self._counts = shared

    def _hear(self) -> None:
        """What other replicas were told."""
        news = None if self._kept is None else self._kept.news()
        if news is not None:
            self._counts = news
            self.learned()


class EpsilonGreedy(_Bandit):
    """Mostly the best branch; with probability `epsilon` one of the others."""

    kind = "epsilon-greedy"

    def __init__(self, *, epsilon: float = 0.1, best_branch: int | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        if best_branch is not None and not 0 <= best_branch < len(self.tries):
            raise ValueError(f"best_branch must be from 0 to {len(self.tries) - 1}, not {best_branch}")
        self._epsilon = epsilon
        self.best = self.chance.randrange(len(self.tries)) if best_branch is None else best_branch
        if any(self.tries):
            self.learned()

    def choose(self) -> int:
        others = [branch for branch in range(len(self.tries)) if branch != self.best]
        return self.chance.choice(others) if others and self.chance.random() < self._epsilon else self.best

    def learned(self) -> None:
        values = [wins / tries if tries else 0.0 for wins, tries in zip(self.successes, self.tries, strict=True)]
        self.best = self.chance.choice([branch for branch, value in enumerate(values) if value == max(values)])


class ThompsonSampling(_Bandit):
    """Draws each branch's value from what is known of it, Beta(1 + successes, 1 + failures), and takes the highest."""

    kind = "thompson-sampling"

    def choose(self) -> int:
        drawn = [
            # A reward outside 0 to 1 may make either count negative, where no such distribution exists.
            self.chance.betavariate(1 + max(wins, 0), 1 + max(tries - wins, 0))
            for wins, tries in zip(self.successes, self.tries, strict=True)
        ]
        return drawn.index(max(drawn))
