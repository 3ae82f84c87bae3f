"""InferenceServices of `serving.kserve.io`."""
