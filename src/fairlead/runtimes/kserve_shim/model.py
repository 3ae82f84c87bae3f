"""The base class of KServe's models: hooks that subclasses replace, and calls to a predictor elsewhere for those that
have none of their own."""

import inspect
from collections.abc import Iterable
from enum import Enum
from typing import Any

from fairlead.errors import NotOffered
from fairlead.runtimes.kserve_shim import predictor
from fairlead.runtimes.kserve_shim.constants.constants import PredictorProtocol
from fairlead.runtimes.kserve_shim.infer_type import InferRequest, InferResponse

__all__ = ["BaseKServeModel", "InferenceModel", "InferenceVerb", "Model", "PredictorConfig", "PredictorProtocol"]

Headers = dict[str, str] | None


class InferenceVerb(Enum):
    """What a model is asked."""

    EXPLAIN = 1
    PREDICT = 2


class PredictorConfig:
    """Where a transformer's predictor is, and how to speak to it."""

    def __init__(
        self,
        predictor_host: str,
        predictor_protocol: str = PredictorProtocol.REST_V1.value,
        predictor_use_ssl: bool = False,
        predictor_request_timeout_seconds: int = 600,
        predictor_request_retries: int = 0,
        predictor_health_check: bool = False,
    ) -> None:
        self.predictor_host = predictor_host
        self.predictor_protocol = predictor_protocol
        self.predictor_use_ssl = predictor_use_ssl
        self.predictor_request_timeout_seconds = predictor_request_timeout_seconds
        self.predictor_request_retries = predictor_request_retries
        self.predictor_health_check = predictor_health_check

    @property
    def predictor_base_url(self) -> str:
        """Scheme and host."""
        return f"{'https' if self.predictor_use_ssl else 'http'}://{self.predictor_host}"


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
        self, name: str, predictor_config: PredictorConfig | None = None, return_response_headers: bool = False
    ) -> None:
        super().__init__(name)
        config = predictor_config
        self.required_headers: Iterable[str] = ()
        self.predictor_host: str | None = config.predictor_host if config else None
        self.explainer_host: str | None = None
        self.protocol = config.predictor_protocol if config else PredictorProtocol.REST_V1.value
        self.use_ssl = config.predictor_use_ssl if config else False
        self.timeout = config.predictor_request_timeout_seconds if config else 600
        self.retries = config.predictor_request_retries if config else 0
        self.predictor_health_check = config.predictor_health_check if config else False
        self.return_response_headers = return_response_headers
        self.enable_latency_logging = False

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
        if not self.predictor_host:
            raise NotOffered("Could not find predictor_host.")
        place = predictor.Place(self.predictor_host, self.use_ssl, float(self.timeout), int(self.retries))
        if isinstance(payload, InferRequest) or self.protocol != PredictorProtocol.REST_V1.value:
            return await self._infer(place, payload, headers)
        return await predictor.ask(place, f"/v1/models/{self.name}:predict", payload, headers)

    async def explain(self, payload: Any, headers: Headers = None) -> Any:
        """The explainer's answer; subclasses that are explainers themselves replace this."""
        if not self.explainer_host:
            raise NotOffered("Could not find explainer_host.")
        place = predictor.Place(self.explainer_host, self.use_ssl, float(self.timeout), int(self.retries))
        return await predictor.ask(place, f"/v1/models/{self.name}:explain", payload, headers)

    async def postprocess(self, result: Any, headers: Headers = None) -> Any:  # noqa: ARG002 - a hook's signature
        """The answer as clients want it."""
        return result

    async def _infer(self, place: predictor.Place, payload: Any, headers: Headers) -> Any:
        if self.protocol == PredictorProtocol.GRPC_V2.value:
            raise NotOffered("predictor_protocol grpc-v2 needs the kserve package; v1 and v2 work without it")
        body = payload.to_dict() if isinstance(payload, InferRequest) else payload
        answer = await predictor.ask(place, f"/v2/models/{self.name}/infer", body, headers)
        return InferResponse.from_rest(answer)


async def _settled(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
