"""Tells the kind of an iris by the nearest of three averages, which its model holds."""

import json
from pathlib import Path

import bentoml


@bentoml.service(traffic={"timeout": 30})
class IrisClassifier:
    model = bentoml.models.BentoModel("iris_averages:latest")

    def __init__(self) -> None:
        self.averages = json.loads(Path(self.model.path_of("averages.json")).read_text())

    @bentoml.api
    def classify(self, rows: list[list[float]]) -> list[str]:
        """The kind of each flower, by the length and width of its sepals and petals in centimetres."""
        return [min(self.averages, key=lambda kind: self._distance(row, self.averages[kind])) for row in rows]

    @staticmethod
    def _distance(row: list[float], average: list[float]) -> float:
        return sum((value - mean) ** 2 for value, mean in zip(row, average, strict=True))
