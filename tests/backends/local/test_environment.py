import pytest

from fairlead.backends.local.environment import MissingReference, Resolver, redact
from fairlead.plan.model import EnvFrom, EnvVar, KeyRef
from support.local_world import FakeLookup

pytestmark = pytest.mark.anyio


async def test_single_variables_win_over_whole_objects() -> None:
    lookup = FakeLookup(secrets={"s": {"A": b"secret-a", "B": b"secret-b"}}, config_maps={"c": {"C": "plain"}})
    env = (
        EnvVar(name="A", value="literal"),
        EnvVar(name="K", source=KeyRef(kind="Secret", name="s", key="B")),
        EnvVar(name="M", source=KeyRef(kind="ConfigMap", name="c", key="C")),
    )
    env_from = (EnvFrom(kind="Secret", name="s"), EnvFrom(kind="ConfigMap", name="c", prefix="P_"))
    resolved = await Resolver(lookup, "ns").resolve(env, env_from)

    assert resolved.values == {"A": "literal", "B": "secret-b", "K": "secret-b", "M": "plain", "P_C": "plain"}
    assert resolved.secrets == {"secret-a", "secret-b"}


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        (KeyRef(kind="Secret", name="none", key="k"), "Secret 'none' does not exist in namespace 'ns'"),
        (KeyRef(kind="ConfigMap", name="none", key="k"), "ConfigMap 'none' does not exist in namespace 'ns'"),
        (KeyRef(kind="Secret", name="s", key="k"), "Secret 's' has no key 'k'; its keys: A"),
    ],
)
async def test_what_is_missing_is_named(variable: KeyRef, message: str) -> None:
    resolver = Resolver(FakeLookup(secrets={"s": {"A": b"x"}}), "ns")
    with pytest.raises(MissingReference) as error:
        await resolver.resolve((EnvVar(name="V", source=variable),), ())

    assert str(error.value) == message


async def test_what_is_optional_may_be_missing() -> None:
    source = KeyRef(kind="Secret", name="none", key="k", optional=True)
    resolver = Resolver(FakeLookup(), "ns")
    resolved = await resolver.resolve(
        (EnvVar(name="V", source=source),), (EnvFrom(kind="ConfigMap", name="none", optional=True),)
    )

    assert resolved.values == {}


def test_the_longer_secret_is_removed_first() -> None:
    assert redact("key=hunter22 hunter2", ["hunter2", "hunter22"]) == "key=[redacted] [redacted]"
