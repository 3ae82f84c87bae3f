"""Routers that learn from rewards which child does best: epsilon-greedy and Thompson sampling.

They are classes of the component convention like a user's own. What was learned is kept in a file of the replica's
scratch folder, when it has one, so a worker that is started again goes on where it was.
"""

import json
import logging
import random
import threading
from abc import ABC, abstractmethod
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

_log = logging.getLogger(__name__)

_HISTORY = 10_000
"""Rewards kept with `history`; the oldest go first."""


class _Bandit(ABC):
    """Successes and tries of each branch, and who may see them. `choose` is what makes a kind of bandit."""

    def __init__(
        self,
        *,
        n_branches: int,
        verbose: bool = False,
        seed: int | None = None,
        history: bool = False,
        branch_names: str = "",
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
        self.successes = [0] * n_branches
        self.tries = [0] * n_branches
        self._verbose = verbose
        self._history: deque[list[float]] | None = deque(maxlen=_HISTORY) if history else None
        self._state = state
        self._lock = threading.Lock()

    def route(self, _features: Any, _names: Any) -> int:
        """The branch for one message."""
        with self._lock:
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
            self.successes[routing] += int(reward * rows)
            self.tries[routing] += rows
            self.learned()
            if self._history is not None:
                self._history.append([routing, rows, reward])
            self._save()
        if self._verbose:
            _log.info("branch %s: %d of %d", self.names[routing], self.successes[routing], self.tries[routing])

    @abstractmethod
    def choose(self) -> int:
        """The branch, by what is known now. Called with the lock held."""

    def learned(self) -> None:  # noqa: B027 - not every bandit draws a conclusion
        """After a reward was counted. Called with the lock held."""

    def restore(self) -> None:
        """Go on from the saved file, if it is one for as many branches."""
        if self._state is None or not self._state.is_file():
            return
        try:
            saved = json.loads(self._state.read_text())
            successes, tries = saved["successes"], saved["tries"]
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("%s cannot be read and is started afresh: %s", self._state.name, error)
            return
        if len(successes) == len(tries) == len(self.tries):
            self.successes, self.tries = successes, tries
            if self._history is not None:
                self._history.extend(saved.get("history", []))
            self.learned()

    def _save(self) -> None:
        if self._state is None:
            return
        state = {"successes": self.successes, "tries": self.tries, "history": list(self._history or ())}
        partial = self._state.with_suffix(".partial")
        partial.write_text(json.dumps(state))
        partial.replace(self._state)


class EpsilonGreedy(_Bandit):
    """Mostly the best branch; with probability `epsilon` one of the others."""

    def __init__(self, *, epsilon: float = 0.1, best_branch: int | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        if best_branch is not None and not 0 <= best_branch < len(self.tries):
            raise ValueError(f"best_branch must be from 0 to {len(self.tries) - 1}, not {best_branch}")
        self._epsilon = epsilon
        self.best = self.chance.randrange(len(self.tries)) if best_branch is None else best_branch
        self.restore()

    def choose(self) -> int:
        others = [branch for branch in range(len(self.tries)) if branch != self.best]
        return self.chance.choice(others) if others and self.chance.random() < self._epsilon else self.best

    def learned(self) -> None:
        values = [wins / tries if tries else 0.0 for wins, tries in zip(self.successes, self.tries, strict=True)]
        self.best = self.chance.choice([branch for branch, value in enumerate(values) if value == max(values)])


class ThompsonSampling(_Bandit):
    """Draws each branch's value from what is known of it, Beta(1 + successes, 1 + failures), and takes the highest."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.restore()

    def choose(self) -> int:
        drawn = [
            # A reward outside 0 to 1 may make either count negative, where no such distribution exists.
            self.chance.betavariate(1 + max(wins, 0), 1 + max(tries - wins, 0))
            for wins, tries in zip(self.successes, self.tries, strict=True)
        ]
        return drawn.index(max(drawn))
