"""TrainedModels of `serving.kserve.io`."""
