"""The models of a server, by name."""

from typing import Any

MODEL_MOUNT_DIRS = "/mnt/models"


class ModelRepository:
    """Holds models; subclasses of users may load more of them."""

    def __init__(self, models_dir: str = MODEL_MOUNT_DIRS) -> None:
        self.models: dict[str, Any] = {}
        self.models_dir = models_dir

    def load_models(self) -> None:
        """Load what is there before the first request; here: nothing."""

    def set_models_dir(self, models_dir: str) -> None:
        """Look for models somewhere else."""
        self.models_dir = models_dir

    def get_model(self, name: str) -> Any:
        """The model of that name, or `None`."""
        return self.models.get(name)

    def get_models(self) -> dict[str, Any]:
        """All of them."""
        return self.models

    async def is_model_ready(self, name: str) -> bool:
        """Whether there is such a model and it is well."""
        model = self.models.get(name)
        return model is not None and bool(await model.healthy())

    def update(self, model: Any, name: str | None = None) -> None:
        """Take a model in under its name, or under another."""
        self.models[name or model.name] = model

    def load(self, name: str) -> bool:  # noqa: ARG002 - a hook's signature
        """Load a model; subclasses know how."""
        return False

    def load_model(self, name: str) -> bool:
        """Load a model."""
        return self.load(name)

    def unload(self, name: str) -> None:
        """Let a model go; `KeyError` when there is none."""
        if name not in self.models:
            raise KeyError(f"model with name {name} does not exist")
        del self.models[name]
