"""Which route takes a request: pure."""

import re
import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.backends.local.gateway.matching import Matcher, host_name, rewritten
from fairlead.plan.model import HeaderMatch, Route


@dataclass(eq=False)
class Named:
    """A route with a name to find it by."""

    name: str
    route: Route


def matcher(**routes: Route) -> Matcher[Named]:
    made: Matcher[Named] = Matcher()
    for name, route in routes.items():
        made.add(Named(name, route))
    return made


def found(among: Matcher[Named], path: str, **headers: str) -> str | None:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    item = among.find(path, pairs)
    return item.name if item is not None else None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/seldon/ns/iris/api/v1.0/predictions", "iris"),
        ("/seldon/ns/iris/", "iris"),
        ("/seldon/ns/iris", "iris"),
        ("/seldon/ns/iris-2/x", "iris2"),
        ("/seldon/ns/iris-20/x", None),
        ("/seldon/ns/ir", None),
        ("/seldon/iris/x", "short"),
        ("/seldon/ns/iris/deep/er", "deep"),
        ("/seldon", None),
        ("/", None),
        ("/SELDON/ns/iris/", None),
    ],
)
def test_the_longest_prefix_wins_on_whole_segments(path: str, name: str | None) -> None:
    routes = matcher(
        iris=Route(path_prefix="/seldon/ns/iris/"),
        iris2=Route(path_prefix="/seldon/ns/iris-2"),
        short=Route(path_prefix="/seldon/iris/"),
        deep=Route(path_prefix="/seldon/ns/iris/deep/"),
    )

    assert found(routes, path, host="h") == name


def test_a_host_is_preferred_to_none_and_a_name_to_a_wildcard() -> None:
    routes = matcher(
        any=Route(path_prefix="/"),
        wild=Route(path_prefix="/", host="*.example.org"),
        wilder=Route(path_prefix="/", host="*.a.example.org"),
        exact=Route(path_prefix="/", host="A.example.org"),
        star=Route(path_prefix="/x/", host="*"),
    )

    assert found(routes, "/p", host="a.example.org:8080") == "exact"
    assert found(routes, "/p", host="b.example.org") == "wild"
    assert found(routes, "/p", host="b.a.example.org") == "wilder"
    assert found(routes, "/p", host="example.org") == "any"
    assert found(routes, "/x/p", host="whatever") == "star"


def test_a_name_below_localhost_is_the_name_itself_unless_a_route_asks_for_it() -> None:
    among = matcher(
        cluster=Route(path_prefix="/", host="iris.default"),
        outside=Route(path_prefix="/", host="lily.default.localhost"),
        other=Route(path_prefix="/", host="lily.default"),
        rest=Route(path_prefix="/"),
    )

    assert found(among, "/", host="iris.default.localhost:8080") == "cluster"
    assert found(among, "/", host="lily.default.localhost") == "outside"
    assert found(among, "/", host="rose.default.localhost") == "rest"
    assert found(among, "/", host="localhost") == "rest"


def test_more_headers_win_and_a_route_without_any_takes_the_rest() -> None:
    version = HeaderMatch(name="X-Version", value="v2")
    routes = matcher(
        plain=Route(path_prefix="/a/"),
        one=Route(path_prefix="/a/", headers=(version,)),
        two=Route(path_prefix="/a/", headers=(version, HeaderMatch(name="x-who", value="me"))),
        pattern=Route(path_prefix="/a/", headers=(HeaderMatch(name="x-who", value="[ab]+", is_regex=True),)),
    )

    assert found(routes, "/a/") == "plain"
    assert found(routes, "/a/", x_version="v2") == "one"
    assert found(routes, "/a/", x_version="v2", x_who="me") == "two"
    assert found(routes, "/a/", x_who="abba") == "pattern"
    assert found(routes, "/a/", x_who="abbac") == "plain"


def test_grpc_metadata_is_matched_as_headers_of_grpc_calls_alone() -> None:
    routes = matcher(
        one=Route(path_prefix="/", metadata=(("seldon", "one"), ("namespace", "ns"))),
        two=Route(path_prefix="/", metadata=(("seldon", "two"), ("namespace", "ns"))),
    )

    call = {"content_type": "application/grpc+proto", "seldon": "two"}
    assert found(routes, "/seldon.protos.Seldon/Predict", **call, namespace="ns") == "two"
    assert found(routes, "/seldon.protos.Seldon/Predict", **call) is None
    assert found(routes, "/api/v1.0/predictions", seldon="two", namespace="ns") is None
    assert found(routes, "/", seldon="two", namespace="ns", content_type="application/json") is None


def test_a_guarded_route_that_does_not_match_leaves_the_request_to_a_shorter_prefix() -> None:
    routes = matcher(
        guarded=Route(path_prefix="/a/b/", headers=(HeaderMatch(name="x", value="1"),)), outer=Route(path_prefix="/a/")
    )

    assert found(routes, "/a/b/c") == "outer"
    assert found(routes, "/a/b/c", x="1") == "guarded"


def test_an_expression_that_cannot_be_compiled_matches_nothing() -> None:
    routes = matcher(bad=Route(path_prefix="/", headers=(HeaderMatch(name="x", value="(", is_regex=True),)))

    assert found(routes, "/", x="(") is None


EXPLAIN = r"/v1/models/[\w-]+:explain"


def test_a_pattern_is_for_the_whole_path_after_the_prefix_and_comes_before_headers() -> None:
    tagged = HeaderMatch(name="x-tag", value="canary")
    routes = matcher(
        rest=Route(path_prefix="/serving/ns/iris/"),
        tagged=Route(path_prefix="/serving/ns/iris/", headers=(tagged,)),
        explain=Route(path_prefix="/serving/ns/iris/", path_pattern=EXPLAIN),
        host=Route(path_prefix="/", host="iris.ns", path_pattern=f"^{EXPLAIN}$"),
        host_rest=Route(path_prefix="/", host="iris.ns"),
        bad=Route(path_prefix="/", host="iris.ns", path_pattern="("),
    )

    assert found(routes, "/serving/ns/iris/v1/models/m-1:explain") == "explain"
    assert found(routes, "/serving/ns/iris/v1/models/m-1:explain", x_tag="canary") == "explain"
    assert found(routes, "/serving/ns/iris/v1/models/m-1:explainer") == "rest"
    assert found(routes, "/serving/ns/iris/x/v1/models/m-1:explain") == "rest"
    assert found(routes, "/serving/ns/iris/v1/models/m:predict", x_tag="canary") == "tagged"
    assert found(routes, "/v1/models/m:explain", host="iris.ns:8080") == "host"
    assert found(routes, "/v1/models/m:predict", host="IRIS.NS.") == "host_rest"


def test_internal_routes_are_there_for_those_who_come_from_inside() -> None:
    routes = matcher(
        public=Route(path_prefix="/", host="iris.ns.localhost"),
        inside=Route(path_prefix="/", host="iris.ns.svc", is_internal=True),
        shadowed=Route(path_prefix="/v1/", host="iris.ns.localhost", is_internal=True),
    )

    def inside(host: str) -> str | None:
        item = routes.find("/v1/x", [(b"host", host.encode())], is_inside=True)
        return item.name if item is not None else None

    assert found(routes, "/v1/x", host="iris.ns.svc") is None
    assert found(routes, "/v1/x", host="iris.ns.localhost") == "public"
    assert (inside("iris.ns.svc"), inside("iris.ns.localhost")) == ("inside", "shadowed")


PREFIXES = ["", "/", "/a/", "/a/b/", "/a/b"]
HOSTS = ["", "*", "h", "H.", "x.h", "*.h"]
PATTERNS = ["", "/b/c", r"/\w+", ".*", r"/[a-c]/\w"]
TAGS: list[tuple[HeaderMatch, ...]] = [(), (HeaderMatch(name="x", value="1"),), (HeaderMatch(name="y", value="2"),)]


@given(
    st.lists(
        st.builds(
            Route,
            path_prefix=st.sampled_from(PREFIXES),
            host=st.sampled_from(HOSTS),
            path_pattern=st.sampled_from(PATTERNS),
            headers=st.sampled_from([*TAGS, TAGS[1] + TAGS[2]]),
            is_internal=st.booleans(),
        ),
        max_size=12,
    ),
    st.sampled_from(["/", "/a", "/a/b", "/a/b/c", "/a/bc", "/b/c"]),
    st.sampled_from(["h", "x.h", "y.x.h.", "other", "X.H:80"]),
    st.fixed_dictionaries({}, optional={"x": st.sampled_from("12"), "y": st.sampled_from("12")}),
    st.booleans(),
)
def test_the_route_that_is_found_is_the_first_of_those_that_ask_for_most(
    routes: list[Route], path: str, host: str, tags: dict[str, str], is_inside: bool
) -> None:
    made: Matcher[Named] = Matcher()
    for number, route in enumerate(routes):
        made.add(Named(str(number), route))
    headers = [(b"host", host.encode()), *((name.encode(), value.encode()) for name, value in tags.items())]
    name = host.lower().removesuffix(":80").removesuffix(".")

    def merit(number: int) -> tuple[int, ...] | None:
        """What a route asks for, in the order in which it counts; nothing when the request has not all of it."""
        route = routes[number]
        prefix = route.path_prefix.rstrip("/")
        rest = path[len(prefix) :]
        wanted = route.host.lower().removesuffix(".")
        is_any = wanted in ("", "*")
        is_wild = not is_any and wanted.startswith("*.")
        fits = (
            (path == prefix or path.startswith(f"{prefix}/"))
            and (is_any or (name.endswith(wanted[1:]) if is_wild else name == wanted))
            and (not route.path_pattern or re.fullmatch(route.path_pattern, rest) is not None)
            and all(tags.get(match.name) == match.value for match in route.headers)
            and (is_inside or not route.is_internal)
        )
        tier = 0 if is_any else 1 if is_wild else 2
        return (len(prefix), tier, bool(route.path_pattern), len(route.headers)) if fits else None

    ranked = {number: rank for number in range(len(routes)) if (rank := merit(number)) is not None}
    best = max(ranked.values(), default=None)
    found_ = made.find(path, headers, is_inside=is_inside)

    # Routes that ask for the same number of headers are told apart by the order, but for which header they ask first.
    assert (None if found_ is None else ranked[int(found_.name)]) == best


@given(
    st.lists(st.tuples(st.sampled_from(["", "/", "/a/", "/a/b/", "/c"]), st.sampled_from(["", "h", "*.h"])), max_size=8)
)
def test_what_is_removed_is_as_if_it_had_never_been_there(keys: list[tuple[str, str]]) -> None:
    items = [Named(str(number), Route(path_prefix=prefix, host=host)) for number, (prefix, host) in enumerate(keys)]
    changed: Matcher[Named] = Matcher()
    for item in items:
        changed.add(item)

    for item in items[::2]:
        changed.remove(item)

    fresh: Matcher[Named] = Matcher()
    for item in items[1::2]:
        fresh.add(item)
    for path in ("/", "/a/b/c", "/c/d"):
        for host in ("h", "x.h", "other"):
            assert found(changed, path, host=host) == found(fresh, path, host=host)


@pytest.mark.parametrize(
    ("path", "prefix", "rewrite", "expected"),
    [
        ("/seldon/ns/a/api", "/seldon/ns/a/", "/", "/api"),
        ("/seldon/ns/a", "/seldon/ns/a/", "/", "/"),
        ("/seldon/ns/a/", "/seldon/ns/a", "/", "/"),
        ("/a/b", "/a/", "/x/y/", "/x/y/b"),
        ("/a/b", "/", "/", "/a/b"),
        ("/a//b", "/a/", "/", "//b"),
    ],
)
def test_a_rewrite_takes_the_place_of_the_prefix(path: str, prefix: str, rewrite: str, expected: str) -> None:
    assert rewritten(path, prefix, rewrite) == expected


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (b"A.B:80", "a.b"),
        (b"a", "a"),
        (b"[::1]:8080", "[::1]"),
        (b"[::1]", "[::1]"),
        (b"", ""),
        (b"Iris.NS.localhost.:80", "iris.ns.localhost"),
    ],
)
def test_a_host_is_compared_without_its_port(host: bytes, name: str) -> None:
    assert host_name(host) == name


@pytest.mark.slow
def test_finding_one_of_thousands_costs_what_finding_one_of_ten_costs() -> None:
    def cost(count: int) -> float:
        routes: Matcher[Named] = Matcher()
        for number in range(count):
            metadata = (("seldon", f"m{number}"), ("namespace", "ns"))
            routes.add(Named("path", Route(path_prefix=f"/seldon/ns/m{number}/")))
            routes.add(Named("metadata", Route(path_prefix="/", metadata=metadata)))
        headers = [(b"host", b"h"), (b"seldon", b"m5"), (b"namespace", b"ns"), (b"content-type", b"application/grpc")]
        best = float("inf")
        for _ in range(7):
            start = time.perf_counter()
            for _ in range(200):
                assert routes.find("/seldon/ns/m7/api/v1.0/predictions", headers) is not None
                assert routes.find("/seldon.protos.Seldon/Predict", headers) is not None
            best = min(best, time.perf_counter() - start)
        return best

    assert cost(4000) < 5 * cost(10)


@pytest.mark.slow
def test_finding_one_host_of_ten_thousand_costs_what_finding_one_of_ten_costs() -> None:
    def cost(count: int) -> float:
        routes: Matcher[Named] = Matcher()
        for number in range(count):
            host = f"m{number}.ns.localhost"
            routes.add(Named("explain", Route(path_prefix="/", path_pattern=EXPLAIN, host=host)))
            routes.add(Named("host", Route(path_prefix="/", host=host)))
            routes.add(Named("inside", Route(path_prefix="/", host=f"m{number}.ns.svc", is_internal=True)))
        headers = [(b"host", b"M7.ns.localhost.:8080"), (b"content-type", b"application/json")]
        best = float("inf")
        for _ in range(7):
            start = time.perf_counter()
            for _ in range(200):
                assert routes.find("/v1/models/m:predict", headers) is not None
            best = min(best, time.perf_counter() - start)
        return best

    assert cost(10_000) < 5 * cost(10)
