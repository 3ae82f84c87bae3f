"""The hooks of a KServe model, and in which order a question passes them.

They are called in two ways: one after the other on the caller's thread, or by one coroutine on the model's own loop.
The latter is for models that wait for somebody (a transformer for its predictor): their requests wait side by side, as
they do in the SDK's server.
"""

import inspect
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from fairlead.errors import NotOffered
from fairlead.plan.model import Method
from fairlead.runtimes.kserve_failures import is_kserves
from fairlead.runtimes.loop_thread import LoopThread

Headers = dict[str, str]
HookRan = Callable[[str, float], None]
_MEASURED = frozenset(("preprocess", "predict", "explain", "postprocess"))


class Hook:
    """One hook, called with as much as it takes. `is_own` says whether the model's class, and not the SDK's, has it."""

    def __init__(self, model: Any, name: str, *, gives_headers: bool = False) -> None:
        self.name = name
        # Models that answer OpenAI's requests alone have no hooks.
        self._function: Callable[..., Any] = getattr(model, name, _no_hook)
        self.is_own = hasattr(model, name) and not _is_base(type(model), name)
        self.is_coroutine = inspect.iscoroutinefunction(self._function)
        self._takes_headers = _takes(self._function, "headers")
        self._takes_response = gives_headers and _takes(self._function, "response_headers")

    def __call__(self, payload: Any, headers: Headers, response: Headers) -> Any:
        keywords: dict[str, Any] = {}
        if self._takes_headers:
            keywords["headers"] = headers
        if self._takes_response:
            keywords["response_headers"] = response
        return self._function(payload, **keywords)


class Hooks:
    """All hooks of one model. `ran` is called with a hook's name and the seconds it took, on the thread it ran on."""

    def __init__(self, model: Any, *, gives_headers: bool) -> None:
        self.ran: HookRan = _untold
        preprocess, predict, explain, postprocess = (
            Hook(model, name, gives_headers=gives_headers)
            for name in ("preprocess", "predict", "explain", "postprocess")
        )
        arrives: tuple[Hook, ...] = (preprocess,)
        if hasattr(model, "validate"):
            arrives = (preprocess, Hook(model, "validate"))
        self.methods = frozenset(
            {Method.PREDICT}
            | ({Method.TRANSFORM_INPUT} if preprocess.is_own else set())
            | ({Method.TRANSFORM_OUTPUT} if postprocess.is_own else set())
            | ({Method.EXPLAIN} if explain.is_own or getattr(model, "explainer_host", None) else set())
        )
        """What the model implements itself."""
        self._order: Mapping[Method, tuple[Hook, ...]] = {
            Method.PREDICT: (*arrives, predict, postprocess),
            Method.EXPLAIN: (*arrives, explain, postprocess),
            Method.TRANSFORM_INPUT: arrives,
            Method.TRANSFORM_OUTPUT: (postprocess,),
        }
        has_predict = hasattr(model, "predict")
        self.awaited = frozenset(
            method
            for method, hooks in self._order.items()
            if any(
                hook.is_coroutine if hook.is_own else has_predict and hook.name in ("predict", "explain")
                for hook in hooks
            )
        )
        """What may spend its time waiting: the SDK's `predict` asks a predictor, and coroutines ask whomever they
        like."""

    def run(self, method: Method, payload: Any, headers: Headers, response: Headers, loop: LoopThread) -> Any:
        """What the hooks make of a payload. Blocks; coroutines run on the loop."""
        for hook in self._order.get(method, self._order[Method.PREDICT]):
            started = perf_counter()
            if not _is_nothing(hook):
                payload = loop.settled(hook(payload, headers, response))
            self._note(hook, started)
        return payload

    async def run_on_loop(self, method: Method, payload: Any, headers: Headers, response: Headers) -> Any:
        """The same, from a coroutine on the model's loop."""
        for hook in self._order.get(method, self._order[Method.PREDICT]):
            started = perf_counter()
            if not _is_nothing(hook):
                payload = hook(payload, headers, response)
                if inspect.isawaitable(payload):
                    payload = await payload
            self._note(hook, started)
        return payload

    def _note(self, hook: Hook, started: float) -> None:
        if hook.name in _MEASURED:
            self.ran(hook.name, perf_counter() - started)


def _is_nothing(hook: Hook) -> bool:
    """Whether a hook is the SDK's, which gives back what it is given."""
    return not hook.is_own and hook.name in ("preprocess", "postprocess")


def _no_hook(*_: Any, **__: Any) -> Any:
    raise NotOffered("this model answers OpenAI's requests alone")


def _untold(_hook: str, _seconds: float) -> None:
    """Nobody asked how long hooks take."""


def _is_base(kind: type, name: str) -> bool:
    definer = next((base for base in kind.__mro__ if name in vars(base)), None)
    return definer is not None and is_kserves(definer)


def _takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a hook takes this argument: by its name, which the SDK's documentation fixes, or through `**kwargs`."""
    parameters = inspect.signature(function).parameters
    if name in parameters:
        return parameters[name].kind is not inspect.Parameter.POSITIONAL_ONLY
    return any(one.kind is one.VAR_KEYWORD for one in parameters.values())
