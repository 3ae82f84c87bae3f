import shutil
import subprocess
import sys
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


def load(variant: str, kept: Path | None = None, **parameters: Any) -> Servable:
    return registry.load(context(unit("sample", name="bandit", variant=variant, **parameters), kept=kept))


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


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"successes": [1], "tries": [1], "history": []}'])
def test_a_state_that_does_not_fit_is_started_afresh(tmp_path: Path, content: str) -> None:
    (tmp_path / "epsilon-greedy-2.json").write_text(content)

    servable = load("epsilon_greedy", tmp_path, n_branches=2, best_branch=1, epsilon=0.0)

    assert shares(servable, 10) == {1: 1.0}


def test_replicas_learn_from_each_others_rewards(tmp_path: Path) -> None:
    replicas = [EpsilonGreedy(n_branches=2, best_branch=0, epsilon=0.0, state=tmp_path) for _ in range(2)]
    for _ in range(5):
        replicas[0].send_feedback([[1]], [], 0.0, None, routing=0)
        replicas[1].send_feedback([[1]], [], 1.0, None, routing=1)

    chosen = [replica.route([[1]], []) for replica in replicas]

    assert chosen == [1, 1]
    assert [(replica.successes, replica.tries) for replica in replicas] == [([0, 5], [5, 5])] * 2


def test_rewards_of_many_processes_are_all_counted(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from fairlead.runtimes.bandits import ThompsonSampling\n"
        "bandit = ThompsonSampling(n_branches=2, state=Path(sys.argv[1]))\n"
        "for _ in range(50): bandit.send_feedback([[1]], [], 1.0, None, routing=1)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]

    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert ThompsonSampling(n_branches=2, state=tmp_path).successes == [0, 150]


def test_another_number_of_branches_starts_from_nothing_and_stays_so(tmp_path: Path) -> None:
    before = ThompsonSampling(n_branches=2, state=tmp_path)
    before.send_feedback([[1]], [], 1.0, None, routing=1)

    after = ThompsonSampling(n_branches=3, state=tmp_path)
    before.send_feedback([[1]], [], 1.0, None, routing=1)

    assert after.tries == [0, 0, 0]
    assert before.tries == [0, 2]
    assert ThompsonSampling(n_branches=2, state=tmp_path).tries == [0, 0]


def test_what_a_deployment_learned_is_not_written_again_after_its_end(tmp_path: Path) -> None:
    folder = tmp_path / "router"
    bandit = ThompsonSampling(n_branches=2, state=folder)
    shutil.rmtree(folder)

    bandit.send_feedback([[1]], [], 1.0, None, routing=1)

    assert bandit.tries == [0, 1]
    assert not folder.exists()


def test_keeping_can_be_turned_off(tmp_path: Path) -> None:
    reward(load("thompson_sampling", tmp_path / "kept", n_branches=2, keep_state=False), 1, 1.0)

    assert not (tmp_path / "kept").exists()


def test_branches_have_names_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bandit = EpsilonGreedy(n_branches=2, branch_names="red:blue", best_branch=1, epsilon=0.0, verbose=True)

    bandit.route([[1]], [])
    bandit.send_feedback([[1]], [], 1.0, None, routing=1)

    assert "routed to branch blue" in caplog.text
    assert "branch blue: 1 of 1" in caplog.text
