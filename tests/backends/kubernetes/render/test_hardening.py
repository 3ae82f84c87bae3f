"""Safer pods than the upstream operators write, and nothing that contradicts what a user wrote."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fairlead.backends.kubernetes.render.hardening import SCRATCH, Profile, hardened

STRICT = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def contexts(spec: dict[str, Any], own: str = "main", profile: Profile = Profile.COMPATIBLE) -> list[Any]:
    done = hardened(spec, frozenset(own.split()), profile)
    return [one.get("securityContext") for one in (*done.get("initContainers", ()), *done["containers"])]


def spec(context: dict[str, Any] | None = None, **pod: Any) -> dict[str, Any]:
    return {"containers": [{"name": "main", **({"securityContext": context} if context else {})}], **pod}


def test_our_own_container_is_confined_and_gets_a_scratch_folder() -> None:
    done = hardened(spec(), frozenset({"main"}), Profile.COMPATIBLE)

    (container,) = done["containers"]
    assert container["securityContext"] == STRICT
    assert container["volumeMounts"] == [{"name": SCRATCH, "mountPath": "/tmp"}]
    assert done["volumes"] == [{"name": SCRATCH, "emptyDir": {}}]


def test_our_own_init_container_is_confined_too() -> None:
    both = {"initContainers": [{"name": "fetch"}], "containers": [{"name": "theirs"}]}

    assert contexts(both, "fetch") == [STRICT, {"seccompProfile": {"type": "RuntimeDefault"}}]


def test_a_scratch_folder_of_the_users_own_is_kept() -> None:
    mounts = [{"name": "mine", "mountPath": "/tmp/"}]
    given = {"containers": [{"name": "main", "volumeMounts": mounts}], "volumes": [{"name": "mine", "emptyDir": {}}]}

    done = hardened(given, frozenset({"main"}), Profile.COMPATIBLE)

    assert done["containers"][0]["volumeMounts"] == mounts
    assert done["volumes"] == given["volumes"]


@pytest.mark.parametrize("name", STRICT)
def test_a_users_own_value_wins(name: str) -> None:
    own: dict[str, Any] = {"capabilities": {"add": ["NET_ADMIN"]}, "seccompProfile": {"type": "Unconfined"}}
    mine = own.get(name, not STRICT[name])

    assert contexts(spec({name: mine})) == [{**STRICT, name: mine}]


def test_root_that_is_asked_for_is_not_forbidden() -> None:
    assert "runAsNonRoot" not in contexts(spec({"runAsUser": 0}))[0]
    assert "runAsNonRoot" not in contexts(spec(securityContext={"runAsUser": 0}))[0]
    assert "runAsNonRoot" in contexts(spec({"runAsUser": 5}, securityContext={"runAsUser": 0}))[0]


def test_what_the_pod_says_for_all_containers_is_not_said_again() -> None:
    pod = {"runAsNonRoot": False, "seccompProfile": {"type": "Unconfined"}}

    (context,) = contexts(spec(securityContext=pod))

    assert context == {key: value for key, value in STRICT.items() if key not in pod}


def test_a_privileged_container_gets_nothing() -> None:
    assert contexts(spec({"privileged": True})) == [{"privileged": True}]


def test_escalation_is_not_forbidden_where_the_api_would_refuse_it() -> None:
    given = {"capabilities": {"add": ["SYS_ADMIN"]}}

    assert "allowPrivilegeEscalation" not in contexts(spec(given))[0]


def test_windows_knows_none_of_it() -> None:
    assert contexts(spec(os={"name": "windows"})) == [None]


def test_the_restricted_profile_is_for_images_of_others_too_but_for_their_root() -> None:
    expected = {key: value for key, value in STRICT.items() if key != "readOnlyRootFilesystem"}

    assert contexts(spec(), own="", profile=Profile.RESTRICTED) == [expected]


def test_the_profile_none_adds_nothing() -> None:
    assert hardened(spec(), frozenset({"main"}), Profile.NONE) == spec()


_CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "privileged": st.booleans(),
        "runAsUser": st.sampled_from([0, 8888]),
        "runAsNonRoot": st.booleans(),
        "readOnlyRootFilesystem": st.booleans(),
        "allowPrivilegeEscalation": st.booleans(),
        "capabilities": st.fixed_dictionaries({}, optional={"add": st.just(["SYS_ADMIN"])}),
    },
)


@given(context=_CONTEXTS, pod=_CONTEXTS, profile=st.sampled_from(Profile), own=st.sampled_from(["", "main"]))
def test_whatever_is_given_stays(context: dict[str, Any], pod: dict[str, Any], profile: Profile, own: str) -> None:
    assume(not (context.get("privileged") and context.get("allowPrivilegeEscalation") is False))

    (done,) = contexts(spec(context, securityContext=pod), own, profile)

    assert {key: value for key, value in (done or {}).items() if key in context} == context


def test_a_privileged_container_may_gain_privileges_whatever_its_runtime_said() -> None:
    context = {"privileged": True, "allowPrivilegeEscalation": False, "runAsUser": 1}
    spec = {"containers": [{"name": "c", "securityContext": context}]}

    (confined,) = hardened(spec, frozenset(), Profile.COMPATIBLE)["containers"]

    assert confined["securityContext"] == {"privileged": True, "runAsUser": 1}
