"""How the API server is reached: which kubeconfig or service account, and the client that lightkube makes of it.

lightkube reads the configuration and knows how to prove who we are: certificates, tokens, files with tokens that
change, programs that print one. kopf watches over connections of its own and gets the same proof from here.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import httpx2
import msgspec
from lightkube.config.client_adapter import AsyncClient, ConnectionParams, user_auth
from lightkube.config.kubeconfig import SERVICE_ACCOUNT, KubeConfig, SingleConfig
from lightkube.config.models import User
from lightkube.core.exceptions import ConfigError as LightkubeError

from fairlead.errors import ConfigError

_EXEC_V1 = "client.authentication.k8s.io/v1"
_EXEC_V1BETA1 = "client.authentication.k8s.io/v1beta1"


def find_config(kubeconfig: Path | None, context: str = "", *, environ: Mapping[str, str] = os.environ) -> SingleConfig:
    """The configuration that a path names, or the one of the pod we run in. No other place is looked at, so that nobody
    reaches a cluster by accident. Raises `ConfigError`."""
    try:
        found = _load(kubeconfig, environ).get(context or None)
    except (LightkubeError, OSError, KeyError, ValueError) as error:
        raise ConfigError(f"no way to a cluster: {str(error) or type(error).__name__}") from error
    if found is None:
        raise ConfigError("no way to a cluster: the kubeconfig has no current context")
    return found._replace(user=_understood(found.user or User()))


def _load(kubeconfig: Path | None, environ: Mapping[str, str]) -> KubeConfig:
    if kubeconfig is not None:
        return KubeConfig.from_file(kubeconfig)
    if "KUBERNETES_SERVICE_HOST" not in environ or not (Path(SERVICE_ACCOUNT) / "token").exists():
        raise ConfigError("this is no pod of a cluster; say which cluster with --kubeconfig")
    return KubeConfig.from_service_account()


def _understood(user: User) -> User:
    """lightkube knows the beta of the protocol for programs that print a token; the first version is the same."""
    if user.exec is None or user.exec.apiVersion != _EXEC_V1:
        return user
    return msgspec.structs.replace(user, exec=msgspec.structs.replace(user.exec, apiVersion=_EXEC_V1BETA1))


def connect(config: SingleConfig, *, timeout_s: float) -> httpx2.AsyncClient:
    """A client whose paths begin at the API server."""
    try:
        return AsyncClient(config, ConnectionParams(timeout=httpx2.Timeout(timeout_s), trust_env=False))
    except (LightkubeError, OSError) as error:
        raise ConfigError(f"no way to a cluster: {error}") from error


async def authorization(config: SingleConfig) -> str:
    """The `Authorization` header to send now; empty when certificates say who we are."""
    auth = user_auth(config.user)
    if auth is None:
        return ""
    flow = auth.async_auth_flow(httpx2.Request("GET", config.cluster.server))
    try:
        return (await anext(flow)).headers.get("Authorization", "")
    finally:
        await flow.aclose()
