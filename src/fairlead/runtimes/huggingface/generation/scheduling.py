"""Who gets the next token: one thread that reads prompts in pieces and steps all sequences together.

In each turn some of the prompts are read on by a piece and every sequence that somebody wants gets one token, so a
short request passes a long one and streams advance side by side. A sequence whose reader is slow is passed over and
keeps its place; one whose client has gone is forgotten at the next turn.
"""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fairlead.errors import FairleadError, Overloaded, UnitFailed
from fairlead.protocols.openai import Sampling
from fairlead.protocols.openai_answers import Piece
from fairlead.runtimes.huggingface.generation.decoding import Decoder, State
from fairlead.runtimes.huggingface.generation.sampling import Choice, Chooser, told
from fairlead.runtimes.huggingface.generation.writing import Writer

_log = logging.getLogger(__name__)
_PIECE = 256
"""How many tokens of prompts are read in a turn: what others wait between two tokens of theirs."""
_PROMPTS = 4
"""How many prompts those may be of: each is a call of the model. Measured, GPT-2 on one core and 16 short prompts at
once: the last of their first tokens came after 1.9 s with four prompts in a turn, after 4.1 s with one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much is done at once: sequences in a step, their tokens together (with those still to come), and sequences
    that wait."""

    sequences: int = 32
    tokens: int = 65_536
    waiting: int = 256


class Hearer(Protocol):
    """Hears of a job, on the scheduler's thread."""

    def read(self, job: "Job", prompt: list[Choice]) -> None:
        """The prompt is read; this comes first. Its own tokens are told of when the job wants that."""

    def wrote(self, job: "Job", which: int, piece: Piece, made: int) -> None:
        """A part of one of the job's texts. `made` is how many tokens this text has by now."""

    def failed(self, job: "Job", error: Exception) -> None:
        """It will not be done."""


@dataclass(eq=False, slots=True, kw_only=True)
class Job:
    """One prompt and the texts that are wanted for it, each of at most `most` tokens, with a writer and a chooser."""

    prompt: Sequence[int]
    sampling: Sampling
    most: int
    writers: Sequence[Writer]
    choosers: Sequence[Chooser]
    hearer: Hearer
    wants_prompt: bool = False
    is_left: bool = False
    is_held: bool = False

    @property
    def tokens(self) -> int:
        """How many tokens it may come to."""
        return (len(self.prompt) + self.most) * len(self.writers)


@dataclass(eq=False, slots=True)
class _Reading:
    """A job whose prompt is being read."""

    job: Job
    state: State
    left: deque[int]
    known: list[Choice] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _Writing:
    """One text that is being written."""

    job: Job
    which: int
    state: State
    token: int = 0


class Scheduler:
    """Runs jobs on a decoder. The thread starts with the first of them."""

    def __init__(self, torch: Any, decoder: Decoder, room: Room, *, name: str) -> None:
        self._torch = torch
        self._decoder = decoder
        self._room = room
        self._name = name
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._reading: deque[_Reading] = deque()
        self._writing: list[_Writing] = []
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def submit(self, jobs: Sequence[Job]) -> None:
        """Take jobs, all or none. Raises `Overloaded`."""
        with self._changed:
            self._refuse_if_full(sum(len(job.writers) for job in jobs))
            self._waiting.extend(jobs)
            self._wake()

    def refuse_if_full(self) -> None:
        """Raise `Overloaded` when nothing more can wait, or ever will."""
        with self._changed:
            self._refuse_if_full(1)

    def changed(self) -> None:
        """A job was left, held or let go on."""
        with self._changed:
            self._changed.notify()

    def close(self) -> None:
        """End the thread; what is not done is not answered."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _refuse_if_full(self, more: int) -> None:
        if self._is_closed:
            raise Overloaded("the model is stopping")
        waiting = sum(len(job.writers) for job in self._waiting if not job.is_left)
        if waiting and waiting + more > self._room.waiting:
            raise Overloaded(
                f"{waiting} texts wait to be generated already; at most {self._room.waiting} may", after_s=1
            )

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"generate-{self._name}", daemon=True)
            self._thread.start()
        self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._is_closed and not self._has_work():
                    self._changed.wait()
                if self._is_closed:
                    jobs = [*self._waiting, *self._under_way()]
                    break
                self._admit()
            try:
                self._turn()
            except Exception as error:  # whatever it is, nobody is to wait for ever
                for job in self._under_way():
                    self._fail(job, error)
        for job in jobs:
            self._fail(job, Overloaded("the model is stopping"))

    def _has_work(self) -> bool:
        return self._has_place() or any(job.is_left or not job.is_held for job in self._under_way())

    def _has_place(self) -> bool:
        """Whether the first that waits may begin. One by itself always may."""
        if not self._waiting:
            return False
        first = self._waiting[0]
        under_way = self._under_way()
        if not under_way or first.is_left:
            return True
        # Those whose readers are slow take no part in a step, but hold their memory.
        sequences = sum(len(job.writers) for job in under_way if not job.is_held)
        tokens = sum(job.tokens for job in under_way)
        return sequences + len(first.writers) <= self._room.sequences and tokens + first.tokens <= self._room.tokens

    def _under_way(self) -> list[Job]:
        jobs = [one.job for one in self._reading] + [one.job for one in self._writing]
        return list({id(job): job for job in jobs}.values())

    def _admit(self) -> None:
        while self._has_place():
            job = self._waiting.popleft()
            if not job.is_left:
                self._reading.append(_Reading(job, State(), deque()))

    def _turn(self) -> None:
        self._drop_left()
        room = _PIECE
        for _ in range(min(_PROMPTS, len(self._reading))):
            if room:
                room -= self._read(self._reading.popleft(), room)
        writing = [one for one in self._writing if not one.job.is_held]
        if writing:
            self._write(writing)

    def _drop_left(self) -> None:
        self._reading = deque(one for one in self._reading if not self._is_over(one.job, one.state))
        self._writing = [one for one in self._writing if not self._is_over(one.job, one.state)]

    def _is_over(self, job: Job, state: State) -> bool:
        if job.is_left:
            self._decoder.forget(state)
        return job.is_left

    def _read(self, one: _Reading, most: int) -> int:
        """Read the next piece of a prompt; after the last, begin its texts. Gives how many tokens that were."""
        piece: list[int] = []
        try:
            if not one.state.length:
                one.state, ids = self._decoder.begin(one.job.prompt)
                one.left = deque(ids)
            piece = [one.left.popleft() for _ in range(min(most, len(one.left)))]
            logits = self._decoder.feed(one.state, piece, wants_all=one.job.wants_prompt)
            if one.job.wants_prompt:
                self._note(one, logits)
            if one.left:
                self._reading.append(one)
                return len(piece)
            one.job.hearer.read(one.job, one.known)
            self._begin(one, logits[-1])
        except Exception as error:
            self._decoder.forget(one.state)
            self._fail(one.job, error)
        return len(piece)

    def _note(self, one: _Reading, logits: Any) -> None:
        """What the model thought of each token of the prompt before it read it."""
        job = one.job
        if not one.known:
            one.known.append(Choice(job.prompt[0]))
        for row in logits:
            at = len(one.known)
            if at < len(job.prompt):
                one.known.append(told(self._torch, row, job.prompt[at], job.sampling.logprobs or 0))

    def _begin(self, one: _Reading, logits: Any) -> None:
        job = one.job
        states = [one.state] + [self._decoder.copy(one.state) for _ in job.writers[1:]]
        texts = [_Writing(job, which, state) for which, state in enumerate(states)]
        if not job.most:
            for text in texts:
                self._decoder.forget(text.state)
                job.hearer.wrote(job, text.which, Piece(finish="length"), 0)
            return
        self._writing += [text for text in texts if self._take(text, logits)]

    def _write(self, writing: Sequence[_Writing]) -> None:
        try:
            logits = self._decoder.step([one.state for one in writing], [one.token for one in writing])
        except Exception as error:
            for job in {id(one.job): one.job for one in writing}.values():
                self._fail(job, error)
            return
        over = {id(one) for one, row in zip(writing, logits, strict=True) if not self._take(one, row)}
        self._writing = [one for one in self._writing if id(one) not in over]

    def _take(self, one: _Writing, logits: Any) -> bool:
        """Choose a token from the scores; false when the text is over."""
        job, which = one.job, one.which
        if job.is_left:
            return True  # dropped at the next turn
        writer = job.writers[which]
        try:
            choice = job.choosers[which].choose(logits, job.prompt, writer.tokens)
            piece = writer.take(choice)
            if piece is not None:
                job.hearer.wrote(job, which, piece, len(writer.tokens))
        except Exception as error:
            self._fail(job, error)
            return True
        one.token = choice.token
        if writer.finish is not None:
            self._decoder.forget(one.state)
        return writer.finish is None

    def _fail(self, job: Job, error: Exception) -> None:
        """A job that cannot go on; what it had is dropped at the next turn."""
        if job.is_left:
            return
        job.is_left = True
        if not isinstance(error, FairleadError):
            _log.error("%s: generating failed: %s", self._name, error, exc_info=error)
            error = UnitFailed(f"{type(error).__name__}: {error}")
        job.hearer.failed(job, error)
