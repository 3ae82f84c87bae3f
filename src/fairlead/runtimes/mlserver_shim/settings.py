"""`model-settings.json` as MLServer's types."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from fairlead.runtimes.mlserver_shim.types import MetadataTensor


class ModelParameters(BaseModel):
    """What a model's class may want to know; unknown keys are kept."""

    model_config = ConfigDict(extra="allow", protected_namespaces=())

    uri: str | None = None
    version: str | None = None
    format: str | None = None
    content_type: str | None = None
    environment_tarball: str | None = None
    extra: dict[str, Any] | None = None


class ModelSettings(BaseModel):
    """One model: its name, the class that implements it (`implementation_` is the word, as in the file) and what it is
    given."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=(), populate_by_name=True)

    name: str = ""
    implementation_: str = Field(default="", alias="implementation")
    platform: str = ""
    versions: list[str] = Field(default_factory=list)
    inputs: list[MetadataTensor] = Field(default_factory=list)
    outputs: list[MetadataTensor] = Field(default_factory=list)
    parameters: ModelParameters | None = None
    parallel_workers: int | None = None
    warm_workers: bool = False
    max_batch_size: int = 0
    max_batch_time: float = 0.0
    cache_enabled: bool = False

    @classmethod
    def parse_file(cls, path: str) -> "ModelSettings":  # type: ignore[override]  # pydantic 1's method, which files still use
        """The settings in a JSON file."""
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - the caller's path may be a str
            return cls.model_validate(json.load(file))

    @property
    def version(self) -> str | None:
        """The version the parameters name."""
        return None if self.parameters is None else self.parameters.version
