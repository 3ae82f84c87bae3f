"""The base class of KServe's models: hooks that subclasses replace, and calls to a predictor elsewhere for those that
have none of their own."""

import inspect
from enum import Enum
from typing import Any

from fairlead.errors import NotOffered
from fairlead.runtimes.kserve_shim import context, predictor
from fairlead.runtimes.kserve_shim.infer_type import InferRequest, InferResponse
from fairlead.runtimes.kserve_shim.predictor_config import PredictorConfig, PredictorProtocol
from fairlead.runtimes.upstream import Place

__all__ = ["BaseKServeModel", "InferenceModel", "InferenceVerb", "Model", "PredictorConfig", "PredictorProtocol"]

Headers = dict[str, str] | None


class InferenceVerb(Enum):
    """What a model is asked."""

    EXPLAIN = 1
    PREDICT = 2


class BaseKServeModel:
    """What every model has."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready = False
        self.engine = False

    def load(self) -> bool:
        """Make the model ready to answer."""
        self.ready = True
        return self.ready

    def start(self) -> None:
        """Called before the first request."""

    def start_engine(self) -> Any:
        """Called before the first request, when the model says it has an engine."""

    def stop(self) -> None:
        """Called at the end."""
        self.ready = False

    def stop_engine(self) -> None:
        """Called at the end, when the model says it has an engine."""

    async def healthy(self) -> bool:
        """Whether the model can answer now."""
        return self.ready


class InferenceModel(BaseKServeModel):
    """A model that answers inference requests."""

    async def get_input_types(self) -> list[dict[str, Any]]:
        """Name, datatype and shape of each input; none when it is not known."""
        return []

    async def get_output_types(self) -> list[dict[str, Any]]:
        """Name, datatype and shape of each output; none when it is not known."""
        return []


class Model(InferenceModel):
    """A model whose hooks are asked in order: `preprocess`, `validate`, `predict` or `explain`, `postprocess`."""

    def __init__(
        self,
        name: str,
        *settings: PredictorConfig | bool | None,
        predictor_config: PredictorConfig | None = None,
        return_response_headers: bool = False,
    ) -> None:
        super().__init__(name)
        # Versions before 0.15 have the predictor's configuration as their second argument, later ones the flag.
        given = next((one for one in settings if isinstance(one, PredictorConfig)), predictor_config)
        self._predictor_config = given
        self.predictor_host: str | None = None
        self.explainer_host: str | None = None
        self.return_response_headers = return_response_headers or any(one is True for one in settings)
        self.enable_latency_logging = False

    @property
    def predictor_config(self) -> PredictorConfig | None:
        """The predictor this model was given, else the program's."""
        return self._predictor_config or context.get_predictor_config()

    async def __call__(
        self, body: Any, headers: Headers = None, verb: InferenceVerb = InferenceVerb.PREDICT, **_: Any
    ) -> Any:
        """All hooks in order, for code that asks a model as the SDK's server does."""
        payload = await _settled(self.preprocess(body, headers))
        payload = await _settled(self.validate(payload))
        hook = self.explain if verb is InferenceVerb.EXPLAIN else self.predict
        return await _settled(self.postprocess(await _settled(hook(payload, headers)), headers))

    async def preprocess(self, payload: Any, headers: Headers = None) -> Any:  # noqa: ARG002 - a hook's signature
        """The request as the model wants it."""
        return payload

    def validate(self, payload: Any) -> Any:
        """The request, or an exception."""
        return payload

    async def predict(self, payload: Any, headers: Headers = None) -> Any:
        """The predictor's answer; subclasses that are models themselves replace this."""
        config = self.predictor_config
        host = self.predictor_host or (config.predictor_host if config is not None else None)
        if not host:
            raise NotOffered("Could not find predictor_host.")
        config = config or PredictorConfig(host)
        place = predictor.place_of(host, config)
        if isinstance(payload, InferRequest) or config.predictor_protocol != PredictorProtocol.REST_V1.value:
            return await self._infer(place, config, payload, headers)
        return await predictor.ask(place, f"/v1/models/{self.name}:predict", payload, headers)

    async def explain(self, payload: Any, headers: Headers = None) -> Any:
        """The explainer's answer; subclasses that are explainers themselves replace this."""
        if not self.explainer_host:
            raise NotOffered("Could not find explainer_host.")
        place = predictor.place_of(self.explainer_host, self.predictor_config or PredictorConfig(self.explainer_host))
        return await predictor.ask(place, f"/v1/models/{self.name}:explain", payload, headers)

    async def postprocess(self, result: Any, headers: Headers = None) -> Any:  # noqa: ARG002 - a hook's signature
        """The answer as clients want it."""
        return result

    async def _infer(self, place: Place, config: PredictorConfig, payload: Any, headers: Headers) -> Any:
        if config.predictor_protocol == PredictorProtocol.GRPC_V2.value and not place.socket:
            raise NotOffered("predictor_protocol grpc-v2 needs the kserve package; v1 and v2 work without it")
        body = payload.to_dict() if isinstance(payload, InferRequest) else payload
        answer = await predictor.ask(place, f"/v2/models/{self.name}/infer", body, headers)
        return InferResponse.from_rest(answer)


async def _settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
