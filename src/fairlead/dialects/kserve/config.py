"""The settings of a KServe installation: ConfigMap `inferenceservice-config` in namespace `kserve`.

Each key holds JSON as text. What is read of it has a field here; the rest belongs to containers of a cluster and means
nothing. A ConfigMap that is not there, and a key that it lacks, mean the shipped values.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal

from pydantic import Field, ValidationError

from fairlead.dialects.base import Document, World
from fairlead.dialects.kserve import autoscaler_config
from fairlead.dialects.kserve.pod_sections import (
    CollectorConfig,
    ContainerDefaults,
    MetricsConfig,
    RolloutStrategy,
    ServiceConfig,
    StorageInitializerConfig,
)
from fairlead.dialects.podspec import Object
from fairlead.errors import ConfigError

NAMESPACE, NAME = "kserve", "inferenceservice-config"
DEFAULT_DOMAIN = "example.com"
DOMAIN_TEMPLATE = "{{ .Name }}-{{ .Namespace }}.{{ .IngressDomain }}"

Mode = Literal["Knative", "Standard", "ModelMesh"]
LEGACY_MODES: Mapping[str, Mode] = {"Serverless": "Knative", "RawDeployment": "Standard"}
MODES: tuple[Mode, ...] = ("Knative", "Standard", "ModelMesh")


class DeployConfig(Object):
    """How services run that do not say."""

    default_deployment_mode: str = ""
    deployment_rollout_strategy: RolloutStrategy | None = None


class IngressConfig(Object):
    """Names and paths of services."""

    ingress_domain: str = DEFAULT_DOMAIN
    domain_template: str = DOMAIN_TEMPLATE
    url_scheme: str = "http"
    path_template: str = ""
    additional_ingress_domains: list[str] = Field(default_factory=list)
    ingress_gateway: str = ""
    disable_ingress_creation: bool = False
    disable_istio_virtual_host: bool = False
    enable_gateway_api: bool | None = None
    """What the ways in of a cluster are written as; `None` leaves it to the installation."""
    kserve_ingress_gateway: str = ""
    ingress_class_name: str = ""
    disable_http_route_timeout: bool = Field(default=False, alias="disableHTTPRouteTimeout")
    local_gateway: str = ""
    local_gateway_service: str = ""
    knative_local_gateway_service: str = ""


class S3Config(Object):
    """What S3 credentials do not say themselves. Values are text, as the ConfigMap has them."""

    s3_access_key_id_name: str = Field(default="AWS_ACCESS_KEY_ID", alias="s3AccessKeyIDName")
    s3_secret_access_key_name: str = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 (the name of a key, not the key)
    s3_endpoint: str = ""
    s3_use_https: str = ""
    s3_region: str = ""
    s3_verify_ssl: str = Field(default="", alias="s3VerifySSL")
    s3_use_virtual_bucket: str = ""
    s3_use_accelerate: str = ""
    s3_use_anonymous_credential: str = ""
    s3_ca_bundle: str = Field(default="", alias="s3CABundle")
    s3_ca_bundle_config_map: str = Field(default="", alias="s3CABundleConfigMap")


class GcsConfig(Object):
    """Google's credentials."""

    gcs_credential_file_name: str = "gcloud-application-credentials.json"


class CredentialsConfig(Object):
    """Where credentials are."""

    storage_spec_secret_name: str = "storage-config"  # noqa: S105 (the name of a Secret)
    storage_secret_name_annotation: str = "serving.kserve.io/storageSecretName"  # noqa: S105 (an annotation)
    gcs: GcsConfig = Field(default_factory=GcsConfig)
    s3: S3Config = Field(default_factory=S3Config)


class LoggerConfig(Object):
    """Where payload logs go that do not say."""

    default_url: str = "http://default-broker"
    ca_bundle: str = ""
    ca_cert_file: str = "service-ca.crt"
    tls_skip_verify: bool = False
    storage: dict[str, Any] | None = None
    marshaller_url: str = ""
    batch_size: int | None = None
    batch_interval: str = ""


class HeadersConfig(Object):
    """Headers of requests."""

    propagate: list[str] = Field(default_factory=list)


class RouterConfig(Object):
    """Inference graphs. An `image` that is empty is ours."""

    image: str = ""
    image_pull_policy: str = ""
    image_pull_secrets: list[str] = Field(default_factory=list)
    memory_request: str = "100Mi"
    memory_limit: str = "1Gi"
    cpu_request: str = "100m"
    cpu_limit: str = "1"
    headers: HeadersConfig = Field(default_factory=HeadersConfig)


class ExplainerConfig(Object):
    """One explainer."""

    image: str = "kserve/art-explainer"
    default_image_version: str = "latest"


class ExplainersConfig(Object):
    """Explainers."""

    art: ExplainerConfig = Field(default_factory=ExplainerConfig)


class ResourceConfig(Object):
    """Resources of custom containers that ask for none."""

    cpu_limit: str = "1"
    memory_limit: str = "2Gi"
    cpu_request: str = "1"
    memory_request: str = "2Gi"


class ServiceDefaults(Object):
    """Defaults of every InferenceService."""

    resource: ResourceConfig = Field(default_factory=ResourceConfig)
    service_annotation_disallowed_list: list[str] = Field(default_factory=list)
    service_label_disallowed_list: list[str] = Field(default_factory=list)


class WindowsConfig(Object):
    """How long Standard mode looks back before it scales."""

    scale_up_stabilization_window_seconds: str = "0"
    scale_down_stabilization_window_seconds: str = "300"


class LocalModelConfig(Object):
    """Local model caches."""

    enabled: bool = False


class SecurityConfig(Object):
    """Tokens."""

    auto_mount_service_account_token: bool = True


class MultiNodeConfig(Object):
    """Devices of several nodes."""

    custom_gpu_resource_type_list: list[str] = Field(default_factory=list, alias="customGPUResourceTypeList")


class InferenceServiceConfig(Object):
    """All that is read of the ConfigMap."""

    deploy: DeployConfig = Field(default_factory=DeployConfig)
    ingress: IngressConfig = Field(default_factory=IngressConfig)
    credentials: CredentialsConfig = Field(default_factory=CredentialsConfig)
    logger: LoggerConfig = Field(default_factory=LoggerConfig)
    router: RouterConfig = Field(default_factory=RouterConfig)
    explainers: ExplainersConfig = Field(default_factory=ExplainersConfig)
    inference_service: ServiceDefaults = Field(default_factory=ServiceDefaults)
    autoscaler: WindowsConfig = Field(default_factory=WindowsConfig)
    storage_initializer: StorageInitializerConfig = Field(default_factory=StorageInitializerConfig)
    agent: ContainerDefaults = Field(default_factory=ContainerDefaults)
    metrics_aggregator: MetricsConfig = Field(default_factory=MetricsConfig)
    service: ServiceConfig = Field(default_factory=ServiceConfig)
    open_telemetry_collector: CollectorConfig = Field(default_factory=CollectorConfig, alias="opentelemetryCollector")
    local_model: LocalModelConfig = Field(default_factory=LocalModelConfig)
    security: SecurityConfig = Field(default_factory=SecurityConfig)
    multi_node: MultiNodeConfig = Field(default_factory=MultiNodeConfig)

    @property
    def default_mode(self) -> Mode:
        """The deployment mode of services that name none, by its present name."""
        mode = self.deploy.default_deployment_mode
        return next(item for item in MODES if item == LEGACY_MODES.get(mode, mode))


def read_config(world: World) -> InferenceServiceConfig:
    """The settings as they are stored now. Raises `ConfigError` in the words of KServe's controller."""
    stored = world.get("ConfigMap", NAMESPACE, NAME)
    data = {**_shipped(), **((stored or {}).get("data") or {})}
    return _parsed(tuple(sorted(data.items())))


@lru_cache(maxsize=1)
def _shipped() -> Mapping[str, str]:
    """What stands for a ConfigMap that is not there."""
    return shipped_config(DEFAULT_DOMAIN)


# Every look at a service reads the settings, and they hardly ever change.
@lru_cache(maxsize=16)
def _parsed(data: tuple[tuple[str, str], ...]) -> InferenceServiceConfig:
    known = {info.alias or name for name, info in InferenceServiceConfig.model_fields.items()}
    try:
        config = InferenceServiceConfig.model_validate({key: _decoded(key, text) for key, text in data if key in known})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key, *path = first["loc"]
        where = ".".join(str(part) for part in path) or "the whole"
        raise ConfigError(f"unable to parse {key} config json: {where}: {first['msg']}") from error
    _check(config)
    return config


def _decoded(key: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ConfigError(f"unable to parse {key} config json: {error}") from error


def _check(config: InferenceServiceConfig) -> None:
    mode = config.deploy.default_deployment_mode
    if not mode:
        raise ConfigError("invalid deploy config, defaultDeploymentMode is required")
    if LEGACY_MODES.get(mode, mode) not in MODES:
        raise ConfigError("invalid deployment mode. Supported modes are Knative, Standard and ModelMesh")
    if not config.ingress.ingress_gateway:
        raise ConfigError("invalid ingress config - ingressGateway is required")
    if config.ingress.path_template and not config.ingress.ingress_domain:
        raise ConfigError("invalid ingress config - ingressDomain is required if pathTemplate is given")


def shipped_config(domain: str) -> dict[str, str]:
    """The data of the ConfigMap as an installation starts with it."""
    sections: dict[str, Any] = {
        "deploy": {"defaultDeploymentMode": "Knative"},
        "ingress": {
            "ingressGateway": "knative-serving/knative-ingress-gateway",
            "ingressDomain": domain,
            "domainTemplate": DOMAIN_TEMPLATE,
            "urlScheme": "http",
            "disableIstioVirtualHost": False,
            "disableIngressCreation": False,
        },
        "credentials": {
            "storageSpecSecretName": "storage-config",
            "storageSecretNameAnnotation": "serving.kserve.io/storageSecretName",
            "gcs": {"gcsCredentialFileName": "gcloud-application-credentials.json"},
            "s3": {
                "s3AccessKeyIDName": "AWS_ACCESS_KEY_ID",
                "s3SecretAccessKeyName": "AWS_SECRET_ACCESS_KEY",
                "s3Endpoint": "",
                "s3UseHttps": "",
                "s3Region": "",
                "s3VerifySSL": "",
                "s3UseVirtualBucket": "",
                "s3UseAccelerate": "",
                "s3UseAnonymousCredential": "",
                "s3CABundle": "",
            },
        },
        "logger": {"defaultUrl": "http://default-broker"},
        "router": {"headers": {"propagate": []}},
        "explainers": {"art": {"image": "kserve/art-explainer", "defaultImageVersion": "latest"}},
        "inferenceService": {
            "resource": {"cpuLimit": "1", "memoryLimit": "2Gi", "cpuRequest": "1", "memoryRequest": "2Gi"},
            "serviceAnnotationDisallowedList": [],
            "serviceLabelDisallowedList": [],
        },
        "autoscaler": {"scaleUpStabilizationWindowSeconds": "0", "scaleDownStabilizationWindowSeconds": "300"},
        "localModel": {"enabled": False},
        "security": {"autoMountServiceAccountToken": True},
        "multiNode": {"customGPUResourceTypeList": []},
    }
    return {key: json.dumps(value, indent=2) for key, value in sections.items()}


def seeds(domain: str) -> Sequence[Document]:
    """The ConfigMaps of an installation."""
    return [
        _config_map(NAMESPACE, NAME, shipped_config(domain)),
        _config_map(autoscaler_config.NAMESPACE, autoscaler_config.NAME, autoscaler_config.shipped_autoscaler_config()),
    ]


def _config_map(namespace: str, name: str, data: Mapping[str, str]) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": dict(data),
    }
