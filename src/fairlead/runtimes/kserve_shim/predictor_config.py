"""Where a transformer's predictor is, and how to speak to it."""

from fairlead.runtimes.kserve_shim.constants.constants import PredictorProtocol

__all__ = ["PredictorConfig", "PredictorProtocol"]


class PredictorConfig:
    """Host, protocol and patience."""

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
    def protocol(self) -> str:
        """`predictor_protocol`, as versions before 0.16 called it."""
        return self.predictor_protocol

    @property
    def use_ssl(self) -> bool:
        """`predictor_use_ssl` by its earlier name."""
        return self.predictor_use_ssl

    @property
    def timeout(self) -> int:
        """`predictor_request_timeout_seconds` by its earlier name."""
        return self.predictor_request_timeout_seconds

    @property
    def retries(self) -> int:
        """`predictor_request_retries` by its earlier name."""
        return self.predictor_request_retries

    @property
    def predictor_base_url(self) -> str:
        """Scheme and host."""
        return f"{'https' if self.predictor_use_ssl else 'http'}://{self.predictor_host}"
