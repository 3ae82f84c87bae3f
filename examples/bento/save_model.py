"""Saves what the bento's model knows: the average flower of each kind. `bentoml build` then makes the bento of it, and
`bentoml export iris_classifier $PWD/iris_classifier.bento` the file that lies here."""

import json
from pathlib import Path

import bentoml
from sklearn.datasets import load_iris

flowers = load_iris()
averages = {
    str(name): [round(float(value), 3) for value in flowers.data[flowers.target == number].mean(axis=0)]
    for number, name in enumerate(flowers.target_names)
}
with bentoml.models.create("iris_averages") as model:
    Path(model.path_of("averages.json")).write_text(json.dumps(averages, indent=1) + "\n")
