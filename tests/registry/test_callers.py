"""Every role and every scope against every verb."""

import pytest

from fairlead.errors import Forbidden
from fairlead.registry.callers import SCOPES, Caller, Organization, Role, User, Verb

USER = User(uid="u", name="ada", created_at=0, updated_at=0)
ORGANIZATION = Organization(uid="o", name="default", created_at=0, updated_at=0)
ALLOWED = {
    Role.GUEST: {Verb.VIEW},
    Role.DEVELOPER: {Verb.VIEW, Verb.UPDATE},
    Role.ADMIN: {Verb.VIEW, Verb.UPDATE, Verb.OPERATE},
}
SCOPE_ALLOWS = {
    "api": {(verb, what) for verb in Verb for what in ("bento", "deployment")},
    "read_organization": {(Verb.VIEW, "bento")},
    "write_organization": {(Verb.UPDATE, "bento")},
    "operate_organization": {(Verb.OPERATE, "bento")},
    "read_cluster": {(Verb.VIEW, "deployment")},
    "write_cluster": {(Verb.UPDATE, "deployment")},
    "operate_cluster": {(Verb.OPERATE, "deployment")},
}


def caller(role: Role = Role.ADMIN, **values: object) -> Caller:
    return Caller(user=USER, organization=ORGANIZATION, role=role, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("what", ["model", "bento_repository", "user", "organization", "cluster", "deployment"])
def test_a_role_allows_its_verbs_and_no_others(role: Role, verb: Verb, what: str) -> None:
    if verb in ALLOWED[role]:
        caller(role).require(verb, what, "x")
    else:
        with pytest.raises(Forbidden, match=f"^user ada cannot {verb} this {what}: x$"):
            caller(role).require(verb, what, "x")
    assert caller(role).may(verb, what) is (verb in ALLOWED[role])


@pytest.mark.parametrize("what", ["bento", "deployment"])
@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_allows_its_verb_on_its_kind_and_no_other(scope: str, verb: Verb, what: str) -> None:
    is_allowed = (verb, what) in SCOPE_ALLOWS[scope]

    assert caller(scopes=(scope,)).may(verb, what) is is_allowed
    if not is_allowed:
        with pytest.raises(Forbidden, match=r"^the api_token need the scopes: api or (read|write|operate)_"):
            caller(scopes=(scope,)).require(verb, what)


def test_a_scope_gives_nothing_that_the_role_does_not() -> None:
    assert not caller(Role.GUEST, scopes=("write_organization",)).may(Verb.UPDATE, "bento")


def test_no_scopes_allow_nothing_even_to_who_may_do_everything() -> None:
    assert not caller(scopes=(), is_superuser=True).may(Verb.VIEW, "bento")


@pytest.mark.parametrize(
    ("of_organization", "of_cluster", "expected"),
    [
        (Role.GUEST, Role.DEVELOPER, Role.DEVELOPER),
        (Role.DEVELOPER, Role.GUEST, Role.GUEST),
        (Role.ADMIN, Role.GUEST, Role.ADMIN),
        (Role.DEVELOPER, None, Role.DEVELOPER),
    ],
)
def test_a_clusters_own_role_decides_there_except_for_admins(
    of_organization: Role, of_cluster: Role | None, expected: Role
) -> None:
    roles = (("default", of_cluster),) if of_cluster else ()

    assert caller(of_organization, cluster_roles=roles).role_in("default") is expected
    assert caller(of_organization, cluster_roles=roles).role_in("elsewhere") is of_organization


def test_namespaces_bound_a_token() -> None:
    caller(namespaces=()).require_namespace("anywhere")
    caller(namespaces=("a", "b")).require_namespace("b")
    with pytest.raises(Forbidden, match="does not reach the namespace c"):
        caller(namespaces=("a", "b")).require_namespace("c")
