"""The LocalModelCache family of `serving.kserve.io`."""
