"""What a registry says of itself and of everything in it: its version, its news, labels and modules that are in use."""

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version as installed_version

import msgspec
from starlette.responses import Response

from fairlead.registry.api import wire
from fairlead.registry.api.calls import Call, answer
from fairlead.registry.api.routing import Operation, Parameter
from fairlead.registry.asking import require
from fairlead.registry.callers import Verb
from fairlead.registry.db import labels


class VersionInfo(msgspec.Struct, kw_only=True):
    version: str
    git_commit: str = ""
    build_date: str = ""


class Info(msgspec.Struct, kw_only=True):
    is_saas: bool = False
    saas_domain_suffix: str = ""


class NewsItem(msgspec.Struct, kw_only=True):
    title: str
    link: str
    cover: str | None = None


class News(msgspec.Struct, kw_only=True):
    """What Yatai fetches from elsewhere. Ours is written here, so that nothing is."""

    notifications: list[NewsItem] = []
    documentations: list[NewsItem] = []
    release_notes: list[NewsItem] = []
    blog_posts: list[NewsItem] = []


_NEWS = News(
    documentations=[
        NewsItem(title="BentoML", link="https://docs.bentoml.com"),
        NewsItem(title="The API of this registry", link="/openapi.json"),
    ]
)


def operations() -> Sequence[Operation]:
    """All of them."""
    here = partial(Operation, method="GET", tag="about")
    return [
        here(
            path="/api/v1/version",
            handler=_version,
            name="getVersion",
            about="Says which version of Fairlead this is.",
            gives=VersionInfo,
            is_public=True,
        ),
        here(
            path="/api/v1/info",
            handler=_info,
            name="getInfo",
            about="Says that this is nobody's cloud.",
            gives=Info,
            is_public=True,
        ),
        here(path="/api/v1/news", handler=_news, name="getNews", about="Lists what to read.", gives=News),
        here(
            path="/api/v1/model_modules",
            handler=_modules,
            name="listModelModules",
            about="Lists the modules that models were made with.",
            gives=list[str],
        ),
        here(
            path="/api/v1/labels",
            handler=_labels,
            name="listLabels",
            about="Lists labels that are in use, with their values.",
            query=(Parameter(name="resource_type", about="Labels of one type of resource alone."),),
            gives=list[wire.LabelValues],
        ),
    ]


async def _version(_call: Call) -> Response:
    return answer(VersionInfo(version=installed_version("fairlead")))


async def _info(_call: Call) -> Response:
    return answer(Info())


async def _news(_call: Call) -> Response:
    return answer(_NEWS)


async def _modules(call: Call) -> Response:
    return answer(list(await call.registry.versions.modules(call.caller)))


async def _labels(call: Call) -> Response:
    organization = require(call.caller, Verb.VIEW, "organization", call.caller.organization.name)
    async with call.registry.database.read() as connection:
        found = await labels.values(connection, organization, call.query("resource_type"))
    return answer([wire.LabelValues(key=key, values=values) for key, values in found.items()])
