import stat
from dataclasses import replace
from pathlib import Path

import pytest

from fairlead.backends.local.certifying import Certifier
from fairlead.backends.local.home import Home
from fairlead.plan.model import Certificate, Plan
from support.local_world import FakeLookup, plan

pytestmark = pytest.mark.anyio


def certified(*secrets: str) -> Plan:
    return replace(plan(), certificates=tuple(Certificate(secret=name, hosts=(f"{name}.x",)) for name in secrets))


async def test_a_secret_becomes_one_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    certifier = Certifier(Home(tmp_path), FakeLookup(secrets={"certs": {"tls.crt": b"CERT", "tls.key": b"KEY\n"}}))
    made = certified("certs")

    assert await certifier.fetch(made) == []

    (certificate,) = certifier.of(made)
    file = Path(certificate.path)
    assert (certificate.hosts, file.read_text()) == (("certs.x",), "CERT\nKEY\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("secrets", "problem"),
    [
        ({}, "Secret 'certs', which ssl.certSecretName names, does not exist"),
        ({"certs": {"tls.crt": b"C"}}, "Secret 'certs', which ssl.certSecretName names, has no tls.key"),
        ({"certs": {}}, "Secret 'certs', which ssl.certSecretName names, has no tls.crt and no tls.key"),
    ],
)
async def test_a_secret_without_a_pair_is_told_and_not_shown(
    tmp_path: Path, secrets: dict[str, dict[str, bytes]], problem: str
) -> None:
    certifier = Certifier(Home(tmp_path), FakeLookup(secrets=secrets))

    assert await certifier.fetch(certified("certs")) == [problem]
    assert certifier.of(certified("certs")) == ()


async def test_what_changed_is_marked_and_what_nobody_names_goes(tmp_path: Path) -> None:
    secrets = FakeLookup(secrets={name: {"tls.crt": b"1", "tls.key": b"K"} for name in "ab"})
    certifier = Certifier(Home(tmp_path), secrets)
    made = certified("a", "b")
    await certifier.fetch(made)
    before = certifier.of(made)
    secrets.secrets["a"] = {"tls.crt": b"2", "tls.key": b"K"}
    await certifier.fetch(made)
    certifier.sweep([certified("a")])

    (after,) = certifier.of(made)
    assert after.mark != before[0].mark
    assert [path.name for path in Home(tmp_path).certificates.glob("*/*")] == ["a.pem"]
