from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fairlead.plan.model import Method
from fairlead.protocols.message import Reward
from fairlead.runtimes import registry
from fairlead.runtimes.bandits import EpsilonGreedy, ThompsonSampling
from fairlead.runtimes.base import Servable
from support.units import asking, context, unit


def load(variant: str, workdir: Path | None = None, **parameters: Any) -> Servable:
    return registry.load(context(unit("sample", name="bandit", variant=variant, **parameters), workdir=workdir))


def reward(servable: Servable, branch: int | None, value: float, *, rows: int = 1) -> None:
    routing = {} if branch is None else {"bandit": branch}
    servable.feedback(
        Reward(asking([[1.0]] * rows), asking([[0.0]], routing=routing), None, value, raw={"reward": value})
    )


def shares(servable: Servable, times: int = 2000) -> dict[int, float]:
    taken = Counter(servable.invoke(Method.ROUTE, asking([[1.0]])).payload.value.item() for _ in range(times))
    return {branch: count / times for branch, count in taken.items()}


def test_the_best_branch_gets_all_but_epsilon() -> None:
    servable = load("mab_epsilon_greedy", n_branches=3, epsilon=0.2, best_branch=1, seed=1)

    measured = shares(servable)

    assert measured[1] == pytest.approx(0.8, abs=0.03)
    assert measured[0] == pytest.approx(0.1, abs=0.03)


def test_a_best_branch_of_zero_is_honoured() -> None:
    assert shares(load("mab_epsilon_greedy", n_branches=3, epsilon=0.0, best_branch=0), 50) == {0: 1.0}


def test_a_best_branch_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match="best_branch must be from 0 to 1, not 2"):
        EpsilonGreedy(n_branches=2, best_branch=2)


def test_rewards_decide_which_branch_is_best() -> None:
    servable = load("mab_epsilon_greedy", n_branches=2, epsilon=0.0, best_branch=0, seed=1)

    reward(servable, 0, 0.0)
    reward(servable, 1, 1.0)

    assert shares(servable, 20) == {1: 1.0}


def test_a_reward_counts_the_rows_it_is_for() -> None:
    bandit = EpsilonGreedy(n_branches=2, best_branch=0)

    bandit.send_feedback(np.zeros((10, 2)), [], 0.35, None, routing=1)

    assert (bandit.successes, bandit.tries) == ([0, 3], [0, 10])


def test_branches_of_equal_value_are_drawn_from() -> None:
    best = set()
    for seed in range(20):
        bandit = EpsilonGreedy(n_branches=3, seed=seed)
        bandit.send_feedback([[1]], [], 0.0, None, routing=0)
        best.add(bandit.best)

    assert best == {0, 1, 2}


@pytest.mark.parametrize("routing", [None, -1, 2])
def test_a_reward_without_its_branch_is_not_counted(routing: int | None, caplog: pytest.LogCaptureFixture) -> None:
    bandit = EpsilonGreedy(n_branches=2)

    bandit.send_feedback([[1]], [], 1.0, None, routing=routing)

    assert bandit.tries == [0, 0]
    assert "is not counted" in caplog.text


def test_thompson_sampling_settles_on_the_branch_that_succeeds() -> None:
    servable = load("thompson_sampling", n_branches=2, seed=3)
    assert min(shares(servable, 200).values()) > 0.2

    for _ in range(30):
        reward(servable, 0, 0.0)
        reward(servable, 1, 1.0)

    assert shares(servable, 200)[1] > 0.95


def test_thompson_sampling_survives_rewards_out_of_range() -> None:
    bandit = ThompsonSampling(n_branches=2, seed=1)

    bandit.send_feedback([[1]], [], -5.0, None, routing=0)
    bandit.send_feedback([[1]], [], 5.0, None, routing=1)

    assert bandit.route([[1]], []) in (0, 1)


@pytest.mark.parametrize("variant", ["epsilon_greedy", "thompson_sampling"])
def test_what_was_learned_survives_a_restart(tmp_path: Path, variant: str) -> None:
    servable = load(variant, tmp_path, n_branches=2, history=True)
    for _ in range(40):
        reward(servable, 1, 1.0)
        reward(servable, 0, 0.0)

    again = load(variant, tmp_path, n_branches=2, history=True)

    assert shares(again, 200)[1] > 0.7
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"successes": [1], "tries": [1]}'])
def test_a_state_that_does_not_fit_is_started_afresh(tmp_path: Path, content: str) -> None:
    (tmp_path / "bandit.bandit.json").write_text(content)

    servable = load("epsilon_greedy", tmp_path, n_branches=2, best_branch=1, epsilon=0.0)

    assert shares(servable, 10) == {1: 1.0}


def test_branches_have_names_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bandit = EpsilonGreedy(n_branches=2, branch_names="red:blue", best_branch=1, epsilon=0.0, verbose=True)

    bandit.route([[1]], [])
    bandit.send_feedback([[1]], [], 1.0, None, routing=1)

    assert "routed to branch blue" in caplog.text
    assert "branch blue: 1 of 1" in caplog.text
