"""Connections lent to kopf: closed whatever becomes of it, and the same for the same proof."""

from pathlib import Path

import pytest
from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import Cluster, Context, User

from fairlead.backends.kubernetes.operator.lending import Lending
from fairlead.backends.kubernetes.operator.resources import SERVICE, ResourceType, TypeKey
from support.cluster import running_cluster

pytestmark = pytest.mark.anyio

OF_KNATIVE = ResourceType(group="serving.knative.dev", versions=("v1",), kind="Service", plural="services")


def config(token_file: Path, server: str = "http://127.0.0.1:1") -> SingleConfig:
    cluster, user = Cluster(server=server), User(token_file=str(token_file))
    return SingleConfig(
        context_name="c", context=Context(cluster="c", user="u"), cluster=cluster, user=user, fname=None
    )


def lending(config: SingleConfig, listed: list[TypeKey]) -> Lending:
    return Lending(config, [SERVICE, OF_KNATIVE], listed.append)


async def test_what_kopf_leaves_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one")
    async with lending(config(tmp_path / "token"), []) as lent:
        session = (await lent.login()).aiohttp_session

    assert session.closed


async def test_a_refused_proof_gets_the_same_again_and_a_new_one_a_new_one(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    async with lending(config(token), []) as lent:
        first, second = await lent.login(), await lent.login()
        token.write_text("two")
        third = await lent.login()

        assert first is second
        assert third != first
        assert first.aiohttp_session.closed
        assert third.aiohttp_session.headers["Authorization"] == "Bearer two"


async def test_a_list_is_told_and_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one")
    listed: list[TypeKey] = []
    async with running_cluster() as cluster, lending(config(tmp_path / "token", cluster.url), listed) as lent:
        session = (await lent.login()).aiohttp_session
        for path in ("/api/v1", "/api/v1/pods", "/apis/serving.knative.dev/v1/services", "/api/v1/namespaces/default"):
            await session.get(cluster.url + path)
        assert listed == []

        await session.get(cluster.url + "/api/v1/services")
        await session.get(cluster.url + "/api/v1/namespaces/default/services")

    assert listed == [SERVICE.key] * 2
