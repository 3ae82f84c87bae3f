"""A unit that does nothing, in every role."""


class Noop:
    def predict(self, X, names, meta=None):
        return X

    transform_input = predict
    transform_output = predict

    def route(self, X, names, meta=None):
        return -1

    def aggregate(self, Xs, names):
        return Xs[0]
