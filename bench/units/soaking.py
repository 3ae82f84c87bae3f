"""Units of the soak: each answers a plain function of its request, so that a client can say what the answer must be."""

import time

import numpy as np


class Echo:
    def predict(self, X, names, meta=None):
        return X


class Twice:
    def predict(self, X, names, meta=None):
        return np.asarray(X) * 2


class Shift:
    def transform_input(self, X, names, meta=None):
        return X + 1


class Times:
    def __init__(self, factor=1):
        self.factor = factor

    def predict(self, X, names, meta=None):
        return X * self.factor


class Join:
    def aggregate(self, Xs, names):
        return np.concatenate(Xs, axis=1)


class Nap:
    """Sleeps for as many seconds as the first value says, then gives the row back."""

    def predict(self, X, names, meta=None):
        time.sleep(min(float(np.asarray(X)[0][0]), 2.0))
        return X
