"""A local model cache as a plan: one model, fetched before anybody asks for it.

It goes where every model goes, so an InferenceService with the same URI finds it there. All that a cluster adds (nodes,
groups of them, volumes) comes down to this machine's disk.
"""

from fairlead.dialects.kserve.caches.schema import CacheStorage, LocalModelCache
from fairlead.dialects.kserve.config import InferenceServiceConfig
from fairlead.dialects.kserve.storage_uris import supported_scheme, unsupported
from fairlead.errors import InvalidManifest, Problem, Where
from fairlead.plan.model import Artifact, Owner, Plan, Prefetched, SecretEntry


def lower(cache: LocalModelCache, config: InferenceServiceConfig) -> Plan:
    """The plan. Raises `InvalidManifest` for a model of a kind that nothing fetches."""
    uri = cache.spec.source_model_uri
    if not supported_scheme(uri):
        problem = Problem(where=Where(path="spec.sourceModelUri"), message=unsupported(uri))
        raise InvalidManifest([problem], message=problem.message)
    meta, secret = cache.metadata, config.credentials.storage_spec_secret_name
    return Plan(
        owner=Owner(
            api_version=cache.api_version,
            kind=cache.kind,
            namespace=meta.namespace,
            name=meta.name,
            uid=meta.uid,
            generation=meta.generation,
        ),
        components=(),
        routes=(),
        secrets=(secret,) if cache.spec.storage is not None else (),
        prefetched=(Prefetched(name=meta.name, artifact=_artifact(cache, secret)),),
    )


def _artifact(cache: LocalModelCache, secret: str) -> Artifact:
    spec = cache.spec
    return Artifact(
        uri=spec.source_model_uri,
        service_account=spec.service_account_name or "default",
        entry=_entry(spec.source_model_uri, spec.storage, secret) if spec.storage is not None else None,
        unpacks=True,
    )


def _entry(uri: str, storage: CacheStorage, secret: str) -> SecretEntry:
    """The entry says how to get in, the address where to: its bucket and path replace those of the entry."""
    scheme, _, rest = uri.partition("://")
    bucket, _, path = rest.partition("/") if scheme == "s3" else ("", "", rest)
    parameters = {"type": scheme, **({"bucket": bucket} if bucket else {}), **storage.parameters}
    return SecretEntry(secret=secret, key=storage.key, path=path, parameters=tuple(sorted(parameters.items())))
