"""ClusterStorageContainers of `serving.kserve.io`."""
