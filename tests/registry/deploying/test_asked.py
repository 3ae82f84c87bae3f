"""What clients send comes back word for word in their dialect, and with its meaning in the other."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.errors import BadRequest
from fairlead.registry.deploying.asked import Asked, Dialect, asked_of_object, asked_v1, asked_v2, config_for, setup_of
from fairlead.registry.deploying.bodies import UpdateV1
from fairlead.registry.deploying.documents import Means, SecretEnv, keeping, spec_of
from fairlead.registry.deploying.parts import Setup, from_spec, to_spec
from fairlead.registry.deploying.words import Metric, Pace, Strategy

ENTRY = "IrisClassifier"
MEANS = Means(
    instance_types={"cpu.1": {"requests": {"cpu": "500m"}, "limits": {"cpu": "1"}}},
    secrets={"hf": [SecretEnv(name="HF_TOKEN", secret="hf-secret", key="HF_TOKEN")]},
)

V1_BODY: dict[str, Any] = {
    "name": "iris-dep",
    "kube_namespace": "yatai",
    "mode": "deployment",
    "labels": None,
    "description": None,
    "do_not_deploy": None,
    "targets": [
        {
            "type": "stable",
            "bento_repository": "iris_classifier",
            "bento": "g3bnvmc",
            "canary_rules": None,
            "config": {
                "resources": {"requests": {"cpu": "100m", "memory": None}, "limits": {"gpu": "1"}},
                "kubeResourceUid": "",
                "kubeResourceVersion": "",
                "hpa_conf": {"cpu": 70, "min_replicas": 1, "max_replicas": 4, "policy": None},
                "envs": [{"key": "A", "value": "B"}],
                "runners": {"iris_clf": {"hpa_conf": None, "envs": None, "enable_debug_mode": True}},
                "enable_ingress": True,
                "deployment_strategy": "Recreate",
                "bento_request_overrides": {"imageBuildTimeout": "1m30s"},
                "traffic_control": {"timeout": "1m30s", "request_queue": None},
            },
        }
    ],
}
V2_BODY: dict[str, Any] = {
    "access_authorization": False,
    "envs": [{"name": "A", "value": "B"}],
    "labels": None,
    "secrets": ["hf"],
    "services": {
        ENTRY: {
            "instance_type": "cpu.1",
            "scaling": {"min_replicas": 0, "max_replicas": 3, "policy": None},
            "envs": None,
            "deployment_strategy": "RollingUpdate",
            "extras": None,
            "cold_start_timeout": 30,
            "config_overrides": {"traffic": {"timeout": 10}},
        }
    },
    "canary": None,
    "bento": "iris_classifier:g3bnvmc",
    "name": "iris-dep",
    "dev": False,
}


def _v1(body: dict[str, Any] = V1_BODY) -> Asked:
    asked = asked_v1(body)
    assert asked is not None
    return asked


def _shown(asked: Asked, reader: Dialect, entry: str = ENTRY) -> dict[str, Any]:
    return config_for(reader, asked.main, asked.dialect, entry=entry, uid="u", version="7")


def test_a_v1_config_comes_back_key_for_key_with_the_object_it_became() -> None:
    sent = V1_BODY["targets"][0]["config"]
    assert _shown(_v1(), Dialect.V1) == sent | {"kubeResourceUid": "u", "kubeResourceVersion": "7"}


def test_a_v2_body_comes_back_key_for_key_without_what_names_it() -> None:
    sent = {name: value for name, value in V2_BODY.items() if name not in ("bento", "name", "dev")}
    assert _shown(asked_v2(V2_BODY), Dialect.V2) == sent


def test_what_was_asked_survives_being_kept() -> None:
    for asked in (_v1(), asked_v2(V2_BODY), asked_of_object(_v1().main.tag, {"bento": "x"}, {})):
        assert Asked.from_text(asked.to_text()) == asked


def test_a_v1_config_becomes_the_fields_and_annotations_of_the_object() -> None:
    asked = _v1()
    setup = setup_of(asked.main, asked.dialect, entry="apiserver")
    assert to_spec(setup) == {
        "annotations": {
            "yatai.ai/deployment-strategy": "Recreate",
            "fairlead.dev/traffic-control": '{"timeout": "1m30s"}',
        },
        "resources": {"requests": {"cpu": "100m"}, "limits": {"gpu": "1"}},
        "autoscaling": {
            "minReplicas": 1,
            "maxReplicas": 4,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
                }
            ],
        },
        "envs": [{"name": "A", "value": "B"}],
        "runners": [{"name": "iris_clf", "annotations": {"yatai.ai/enable-debug-mode": "true"}}],
        "ingress": {"enabled": True},
    }
    assert setup.request == {"imageBuildTimeout": 90_000_000_000}


def test_a_timeout_of_an_old_bento_is_told_to_its_server() -> None:
    asked = _v1()
    spec = spec_of(setup_of(asked.main, asked.dialect, entry="apiserver"), MEANS, entry="apiserver")
    assert {"name": "BENTOML_CONFIG_OPTIONS", "value": "api_server.traffic.timeout=90"} in spec["envs"]
    assert spec["annotations"]["fairlead.dev/derived"] == "BENTOML_CONFIG_OPTIONS"


def test_how_much_is_taken_at_once_is_told_to_the_gateway() -> None:
    queue = {"enabled": True, "max_consume_concurrency": 3}
    target = V1_BODY["targets"][0] | {"config": {"traffic_control": {"request_queue": queue}}}
    setup = setup_of(_v1(V1_BODY | {"targets": [target]}).main, Dialect.V1, entry=ENTRY)
    spec = spec_of(setup, MEANS, entry=ENTRY)
    assert spec["annotations"]["fairlead.dev/max-concurrency"] == "3"
    assert from_spec(spec, {}).main.overrides == {}
    assert "annotations" not in keeping({"spec": spec}, {"spec": {"bento": "b"}})["spec"]


def test_a_v2_body_becomes_resources_variables_and_settings_of_the_server() -> None:
    asked = asked_v2(V2_BODY)
    spec = spec_of(setup_of(asked.main, asked.dialect, entry=ENTRY), MEANS, entry=ENTRY)
    assert spec["resources"] == MEANS.instance_types["cpu.1"]
    assert spec["autoscaling"] == {"minReplicas": 0, "maxReplicas": 3}
    assert spec["envs"] == [
        {"name": "A", "value": "B"},
        {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf-secret", "key": "HF_TOKEN"}}},
        {
            "name": "BENTOML_CONFIG_OVERRIDES",
            "value": json.dumps({"services": {ENTRY: {"traffic": {"timeout": 10}}}}),
        },
    ]
    assert spec["annotations"]["fairlead.dev/auth"] == "none"


def test_what_the_user_sets_is_not_replaced_by_what_follows_from_settings() -> None:
    body = V2_BODY | {"envs": [{"name": "BENTOML_CONFIG_OVERRIDES", "value": "{}"}], "secrets": None}
    asked = asked_v2(body)
    spec = spec_of(setup_of(asked.main, asked.dialect, entry=ENTRY), MEANS, entry=ENTRY)
    assert spec["envs"] == [{"name": "BENTOML_CONFIG_OVERRIDES", "value": "{}"}]


def test_an_instance_type_that_nobody_has_is_refused_with_those_there_are() -> None:
    body = V2_BODY | {"services": {ENTRY: {"instance_type": "gpu.h100"}}}
    asked = asked_v2(body)
    with pytest.raises(BadRequest, match=r"no instance type 'gpu.h100'; available: cpu\.1"):
        spec_of(setup_of(asked.main, asked.dialect, entry=ENTRY), MEANS, entry=ENTRY)


def test_a_secret_that_is_not_there_is_refused() -> None:
    asked = asked_v2(V2_BODY | {"secrets": ["gone"]})
    with pytest.raises(BadRequest, match="get secret gone: record not found"):
        spec_of(setup_of(asked.main, asked.dialect, entry=ENTRY), MEANS, entry=ENTRY)


def test_a_deployment_of_the_old_dialect_reads_well_in_the_new() -> None:
    config = _shown(_v1(), Dialect.V2)
    service = config["services"][ENTRY]
    assert service["scaling"] == {
        "min_replicas": 1,
        "max_replicas": 4,
        "policy": {"metrics": [{"type": "cpu", "value": "70"}]},
    }
    assert service["envs"] == [{"name": "A", "value": "B"}]
    assert service["config_overrides"] == {"resources": {"requests": {"cpu": "100m"}, "limits": {"gpu": "1"}}}
    assert list(config["services"]) == [ENTRY, "iris_clf"]


def test_a_deployment_of_the_new_dialect_reads_well_in_the_old() -> None:
    config = _shown(asked_v2(V2_BODY), Dialect.V1)
    assert config["resource_instance"] == "cpu.1"
    assert config["envs"] == [{"key": "A", "value": "B"}]
    assert config["hpa_conf"] == {"min_replicas": 0, "max_replicas": 3}
    assert (config["deployment_strategy"], config["deployment_cold_start_wait_timeout"]) == ("RollingUpdate", 30)
    assert (config["access_control"], config["enable_ingress"], config["runners"]) == ("public", True, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": None}, "name: Input should be a valid string"),
        ({"targets": []}, "targets: List should have at least 1 item"),
        ({"targets": [{"bento": "v"}]}, "targets.0.bento_repository: Field required"),
        ({"targets": [{"bento_repository": "r", "bento": "v", "type": "blue"}]}, "targets.0.type"),
        ({"mode": "batch"}, "mode: Input should be 'deployment' or 'function'"),
    ],
)
def test_a_wrong_body_is_refused_with_where_and_what(change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        asked_v1(V1_BODY | change)
    assert words in str(refused.value)


def test_a_duration_that_go_would_not_read_is_refused() -> None:
    target = V1_BODY["targets"][0] | {"config": {"traffic_control": {"timeout": "soon"}}}
    with pytest.raises(BadRequest, match=r"traffic_control.timeout: 'soon' is not a duration"):
        asked_v1(V1_BODY | {"targets": [target]})


def test_an_update_without_targets_asks_for_nothing_to_run() -> None:
    assert asked_v1({"description": "words"}, UpdateV1) is None


def test_canaries_are_targets_in_both_dialects() -> None:
    version = {"bento": "iris_classifier:new", "weight": 20, "services": {ENTRY: {"scaling": None}}}
    asked = asked_v2(V2_BODY | {"canary": {"route_type": "random", "route_by": None, "versions": {"b": version}}})
    assert [(each.name, each.type, each.bento) for each in asked.targets] == [
        ("main", "stable", "g3bnvmc"),
        ("b", "canary", "new"),
    ]
    assert asked.routing == {"route_type": "random", "route_by": None, "weights": {"b": 20}}
    assert asked.targets[1].rules[0]["weight"] == 20
    canary = V1_BODY["targets"][0] | {"type": "canary", "canary_rules": [{"type": "weight", "weight": 5}]}
    old = _v1(V1_BODY | {"targets": [canary, *V1_BODY["targets"]]})
    assert [each.type for each in old.targets] == ["stable", "canary"]


def test_what_others_wrote_into_an_object_stays_there() -> None:
    old = {
        "spec": {
            "bento": "old",
            "annotations": {"mine": "yes", "yatai.ai/deployment-strategy": "Recreate"},
            "labels": {"team": "a"},
            "envs": [
                {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "X", "value": "1"},
            ],
            "ingress": {"enabled": True, "annotations": {"i": "1"}, "tls": {"secretName": "t"}},
        }
    }
    spec = keeping(old, {"spec": {"bento": "new", "ingress": {"enabled": False}}})["spec"]
    assert spec == {
        "bento": "new",
        "annotations": {"mine": "yes"},
        "labels": {"team": "a"},
        "ingress": {"enabled": False, "annotations": {"i": "1"}, "tls": {"secretName": "t"}},
        "envs": [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
    }


_NAMES = st.from_regex(r"[A-Z][A-Z_]{0,5}", fullmatch=True)
_AMOUNTS = st.sampled_from(["100m", "1", "512Mi", "2Gi"])
_ITEMS = st.fixed_dictionaries({}, optional={"cpu": _AMOUNTS, "memory": _AMOUNTS, "gpu": st.just("1")})
_POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "metrics": st.lists(
            st.fixed_dictionaries({"type": st.sampled_from([m.value for m in Metric]), "value": st.just("60")}),
            max_size=2,
        ),
        "scale_down_behavior": st.sampled_from([p.value for p in Pace]),
        "scale_up_stabilization_window": st.integers(1, 299),
    },
)
_HPA = st.fixed_dictionaries(
    {"min_replicas": st.integers(0, 2), "max_replicas": st.integers(2, 9)}, optional={"policy": _POLICIES}
)
_PART = {
    "hpa_conf": _HPA,
    "resources": st.fixed_dictionaries({}, optional={"requests": _ITEMS, "limits": _ITEMS}),
    "envs": st.dictionaries(_NAMES, st.text(max_size=5), max_size=3).map(
        lambda envs: [{"key": name, "value": value} for name, value in envs.items()]
    ),
    "deployment_strategy": st.sampled_from([each.value for each in Strategy]),
    "enable_debug_mode": st.booleans(),
    "deployment_cold_start_wait_timeout": st.integers(0, 90),
    "resource_instance": st.just("cpu.1"),
    "bento_deployment_overrides": st.just({"extraPodMetadata": {"labels": {"a": "b"}}}),
    "traffic_control": st.just({"timeout": "10s"}),
}
_CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        **_PART,
        "enable_ingress": st.booleans(),
        "runners": st.dictionaries(
            st.sampled_from(["r1", "r2"]), st.fixed_dictionaries({}, optional=_PART), max_size=2
        ),
        "access_control": st.sampled_from(["public", "private"]),
    },
)


@given(_CONFIGS)
def test_any_config_means_the_same_after_the_way_through_the_object(config: dict[str, Any]) -> None:
    setup = _setup(config)
    assert from_spec(to_spec(setup), setup.request) == _known(setup)


@given(_CONFIGS, st.sampled_from([ENTRY, "apiserver"]))
def test_nothing_that_follows_from_a_config_is_taken_for_the_users(config: dict[str, Any], entry: str) -> None:
    setup = _setup(config)
    read_back = from_spec(spec_of(setup, MEANS, entry=entry), setup.request)
    assert read_back.main.envs == setup.main.envs
    assert {name: part.envs for name, part in read_back.runners.items()} == {
        name: part.envs for name, part in setup.runners.items()
    }


@given(_CONFIGS, st.sampled_from([ENTRY, "apiserver"]))
def test_any_config_means_the_same_after_the_way_through_the_other_dialect(config: dict[str, Any], entry: str) -> None:
    asked = _v1(V1_BODY | {"targets": [V1_BODY["targets"][0] | {"config": config}]})
    read_by_v2 = _shown(asked, Dialect.V2, entry)
    again = asked_v2(read_by_v2 | {"bento": "iris_classifier:g3bnvmc"})
    before = to_spec(setup_of(asked.main, Dialect.V1, entry=entry))
    after = to_spec(setup_of(again.main, Dialect.V2, entry=entry))
    for said_elsewhere in ("ingress",):
        before.pop(said_elsewhere, None)
        after.pop(said_elsewhere, None)
    for spec in (before, after):
        spec.get("annotations", {}).pop("fairlead.dev/auth", None)
        for part in (spec, *spec.get("runners", ())):
            if "fairlead.dev/instance-type" in (part.get("annotations") or {}):
                part.pop("resources", None)
        if not spec.get("annotations"):
            spec.pop("annotations", None)
    assert after == before


def _setup(config: dict[str, Any]) -> Setup:
    asked = _v1(V1_BODY | {"targets": [V1_BODY["targets"][0] | {"config": config}]})
    return setup_of(asked.main, Dialect.V1, entry=ENTRY)


def _known(setup: Setup) -> Setup:
    """An object always says whether it has an ingress."""
    return Setup(
        main=setup.main,
        runners=setup.runners,
        request=setup.request,
        is_public=bool(setup.is_public),
        access=setup.access,
    )


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in _places(each, (*path, key)))]


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = _with(value[path[0]], path[1:], new)
    return changed


@given(st.sampled_from(_places(V1_BODY)), _JSON)
def test_whatever_stands_in_a_v1_body_is_read_or_refused(place: tuple[Any, ...], value: Any) -> None:
    with contextlib.suppress(BadRequest):
        asked = asked_v1(_with(V1_BODY, place, value))
        assert asked is not None
        _hold(asked)


@given(st.sampled_from(_places(V2_BODY)), _JSON)
def test_whatever_stands_in_a_v2_body_is_read_or_refused(place: tuple[Any, ...], value: Any) -> None:
    with contextlib.suppress(BadRequest):
        _hold(asked_v2(_with(V2_BODY, place, value)))


def _hold(asked: Asked) -> None:
    assert Asked.from_text(asked.to_text()) == asked
    for target in asked.targets:
        spec_of(setup_of(target, asked.dialect, entry=ENTRY), MEANS, entry=ENTRY)
        for reader in (Dialect.V1, Dialect.V2):
            config_for(reader, target, asked.dialect, entry=ENTRY, uid="", version="")
