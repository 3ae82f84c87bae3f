"""Who gets the next token. The model here counts: after token n comes n + 1, and each step waits for the test."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from fairlead.errors import Overloaded, UnitFailed
from fairlead.protocols.openai import Sampling
from fairlead.protocols.openai_answers import Candidate, Piece, Token
from fairlead.runtimes.huggingface.generation.decoding import State
from fairlead.runtimes.huggingface.generation.sampling import Choice, Chooser, Defaults
from fairlead.runtimes.huggingface.generation.scheduling import Job, Room, Scheduler
from fairlead.runtimes.huggingface.generation.writing import Writer
from support.formats import needed

torch = needed("torch", "a CPU wheel")

SIZE = 2000
PATIENCE_S = 30


class Numbers:
    """Tokens are written as numbers. As `Vocabulary`."""

    ends = frozenset((13,))
    size = SIZE

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(f"{one} " for one in ids)

    def token(self, choice: Choice) -> Token:
        return Token(Candidate(str(choice.token), b"", choice.logprob or 0.0))


class Counting:
    """As `Decoder`. `steps` are the tokens of each step; `gate` holds steps until the test lets them go."""

    def __init__(self) -> None:
        self.steps: list[list[int]] = []
        self.fed: list[int] = []
        self.forgotten: list[State] = []
        self.gate = threading.Semaphore(0)
        self.waits = threading.Semaphore(0)
        self.is_open = True
        self.broken: Exception | None = None

    def begin(self, prompt: Sequence[int]) -> tuple[State, list[int]]:
        return State(), list(prompt)

    def feed(self, state: State, tokens: Sequence[int], *, wants_all: bool) -> Any:
        state.length += len(tokens)
        self.fed.append(len(tokens))
        return self._after(tokens if wants_all else tokens[-1:])

    def copy(self, state: State) -> State:
        copied = State()
        copied.length = state.length
        return copied

    def step(self, states: Sequence[State], tokens: Sequence[int]) -> Any:
        if not self.is_open:
            self.waits.release()
            assert self.gate.acquire(timeout=PATIENCE_S)
        if self.broken is not None:
            raise self.broken
        self.steps.append(list(tokens))
        return self._after(tokens)

    def forget(self, state: State) -> None:
        self.forgotten.append(state)

    def _after(self, tokens: Sequence[int]) -> Any:
        return torch.nn.functional.one_hot(torch.tensor([(one + 1) % SIZE for one in tokens]), SIZE).float()


class Heard:
    """As `Hearer`."""

    def __init__(self) -> None:
        self.text = ""
        self.finishes: list[str] = []
        self.known: list[Choice] = []
        self.error: Exception | None = None
        self.is_over = threading.Event()
        self.texts = 1

    def read(self, job: Job, prompt: list[Choice]) -> None:
        self.known = prompt

    def wrote(self, job: Job, which: int, piece: Piece, made: int) -> None:
        self.text += piece.text
        if piece.finish:
            self.finishes.append(piece.finish)
            if len(self.finishes) == self.texts:
                self.is_over.set()

    def failed(self, job: Job, error: Exception) -> None:
        self.error = error
        self.is_over.set()

    def wait(self) -> "Heard":
        assert self.is_over.wait(PATIENCE_S)
        return self


@pytest.fixture
def counting() -> Counting:
    return Counting()


Make = Callable[..., Scheduler]


@pytest.fixture
def scheduler(counting: Counting) -> Iterator[Make]:
    made: list[Scheduler] = []

    def make(**room: int) -> Scheduler:
        made.append(Scheduler(torch, counting, Room(**room), name="m"))
        return made[-1]

    yield make
    counting.is_open = True
    counting.gate.release(100)
    for one in made:
        one.close()


def job(prompt: Sequence[int], most: int, *, texts: int = 1, wants_prompt: bool = False, **fields: Any) -> Job:
    heard = Heard()
    heard.texts = texts
    sampling = Sampling(temperature=0, **fields)
    return Job(
        prompt=prompt,
        sampling=sampling,
        most=most,
        writers=[Writer(Numbers(), sampling, most=most, context=()) for _ in range(texts)],  # type: ignore[arg-type]  # as `Vocabulary`
        choosers=[Chooser(torch, sampling, Defaults(), ends=[13], which=which) for which in range(texts)],
        hearer=heard,
        wants_prompt=wants_prompt,
    )


def heard(of: Job) -> Heard:
    assert isinstance(of.hearer, Heard)
    return of.hearer


def test_a_text_goes_on_until_it_is_long_enough_or_the_model_is_done(scheduler: Make) -> None:
    long, done, ignoring = job([20], 3), job([10], 9), job([10], 4, ignores_eos=True)

    scheduler().submit([long, done, ignoring])

    assert (heard(long).wait().text, heard(long).finishes) == ("21 22 23 ", ["length"])
    assert (heard(done).wait().text, heard(done).finishes) == ("11 12 ", ["stop"])
    assert heard(ignoring).wait().text == "11 12 13 14 "


def test_a_short_request_passes_a_long_one(scheduler: Make, counting: Counting) -> None:
    counting.is_open = False
    long, short = job([100], 500), job([20], 3)
    made = scheduler()
    made.submit([long])
    assert counting.waits.acquire(timeout=PATIENCE_S)

    made.submit([short])
    counting.gate.release(6)

    assert heard(short).wait().text == "21 22 23 "
    assert len(counting.steps) <= 6
    assert sorted({len(step) for step in counting.steps} - {1}) == [2]  # both in one step
    assert not heard(long).is_over.is_set()


def test_a_long_prompt_is_read_in_pieces_between_the_steps_of_others(scheduler: Make, counting: Counting) -> None:
    counting.is_open = False
    writing, reading = job([100], 50), job([1] * 1000, 1)
    made = scheduler()
    made.submit([writing])
    assert counting.waits.acquire(timeout=PATIENCE_S)

    made.submit([reading])
    counting.gate.release(5)

    assert heard(reading).wait().finishes == ["length"]
    assert counting.fed == [1, 256, 256, 256, 232]
    assert len(counting.steps) >= 3  # the other went on meanwhile


def test_texts_of_one_prompt_share_its_reading(scheduler: Make, counting: Counting) -> None:
    both = job([20, 21], 2, texts=2)

    scheduler().submit([both])

    assert heard(both).wait().finishes == ["length", "length"]
    assert counting.fed == [2]
    assert counting.steps == [[22, 22]]


def test_nothing_is_generated_for_who_has_left(scheduler: Make, counting: Counting) -> None:
    counting.is_open = False
    left, stays = job([100], 500), job([20], 3)
    made = scheduler()
    made.submit([left, stays])
    assert counting.waits.acquire(timeout=PATIENCE_S)

    left.is_left = True
    made.changed()
    counting.is_open = True
    counting.gate.release(1)

    assert heard(stays).wait().text == "21 22 23 "
    assert heard(left).error is None
    assert sum(token >= 100 for step in counting.steps for token in step) <= 1


def test_a_slow_reader_is_passed_over_and_goes_on_later(scheduler: Make, counting: Counting) -> None:
    counting.is_open = False
    slow, quick = job([100], 3), job([20], 6)
    made = scheduler()
    made.submit([slow, quick])
    assert counting.waits.acquire(timeout=PATIENCE_S)

    slow.is_held = True
    made.changed()
    counting.is_open = True
    counting.gate.release(1)
    heard(quick).wait()

    assert not heard(slow).is_over.is_set()
    slow.is_held = False
    made.changed()
    assert heard(slow).wait().text == "101 102 103 "


def test_only_so_many_are_worked_on_and_wait(scheduler: Make, counting: Counting) -> None:
    counting.is_open = False
    first, second, third = job([100], 5), job([200], 2), job([300], 2)
    made = scheduler(sequences=1, waiting=1)
    made.submit([first])
    assert counting.waits.acquire(timeout=PATIENCE_S)

    made.submit([second])
    with pytest.raises(Overloaded, match="1 texts wait to be generated already; at most 1 may"):
        made.submit([third])
    with pytest.raises(Overloaded):
        made.refuse_if_full()
    counting.is_open = True
    counting.gate.release(1)

    assert heard(second).wait().text == "201 202 "
    assert all(len(step) == 1 for step in counting.steps)


def test_tokens_together_are_limited_too(scheduler: Make, counting: Counting) -> None:
    jobs = [job([100 * one], 9) for one in range(1, 5)]

    scheduler(tokens=20).submit(jobs)

    assert [heard(one).wait().finishes for one in jobs] == [["length"]] * 4
    assert {len(step) for step in counting.steps} <= {1, 2}


def test_what_a_prompt_is_made_of_is_told_when_wanted(scheduler: Make) -> None:
    one = job([20, 21, 50], 0, wants_prompt=True, logprobs=0)

    scheduler().submit([one])

    assert heard(one).wait().finishes == ["length"]
    assert [choice.token for choice in heard(one).known] == [20, 21, 50]
    first, likely, unlikely = (choice.logprob for choice in heard(one).known)
    assert first is None
    assert likely is not None
    assert unlikely is not None
    assert likely > unlikely


def test_a_model_that_breaks_fails_what_it_was_at_and_serves_on(scheduler: Make, counting: Counting) -> None:
    broken, later = job([100], 5), job([20], 2)
    counting.broken = RuntimeError("out of memory")
    made = scheduler()

    made.submit([broken])
    error = heard(broken).wait().error
    counting.broken = None
    made.submit([later])

    assert isinstance(error, UnitFailed)
    assert str(error) == "RuntimeError: out of memory"
    assert heard(later).wait().text == "21 22 "


def test_who_still_waits_at_the_end_is_told(scheduler: Make, counting: Counting) -> None:
    counting.is_open = False
    under_way, waiting = job([100], 500), job([200], 5)
    made = scheduler(sequences=1)
    made.submit([under_way, waiting])
    assert counting.waits.acquire(timeout=PATIENCE_S)

    counting.is_open = True
    counting.gate.release(1)
    made.close()

    for one in (under_way, waiting):
        assert heard(one).is_over.is_set()
    with pytest.raises(Overloaded, match="the model is stopping"):
        made.submit([job([1], 1)])
