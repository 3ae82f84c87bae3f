from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.errors import StorageError
from fairlead.storage.credentials import from_secret
from fairlead.storage.fetch import Fetcher
from fairlead.storage.transfer import Patience
from support.web_files import Served, file_server
from support.web_hdfs import Cluster, cluster

QUICK = Patience(attempts=3, first_pause_s=0.001, read_timeout_s=5)
WEIGHTS = bytes(range(256)) * 2048


@pytest.fixture
def namenode() -> Iterator[Cluster]:
    with file_server() as datanode, cluster(datanode) as there:
        there.files = {"user/me/iris/model.bst": WEIGHTS, "user/me/iris/a b/c%.json": b"{}", "user/me/x": b"1"}
        yield there


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "cache", patience=QUICK)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("scheme", ["hdfs", "webhdfs"])
def test_a_folder_of_the_cluster_is_copied(namenode: Cluster, fetcher: Fetcher, scheme: str) -> None:
    env = from_secret({"HDFS_NAMENODE": namenode.url.encode(), "HDFS_ROOTPATH": b"/user", "AWS_REGION": b"x"}, {})

    assert contents(fetcher.fetch(f"{scheme}://me/iris", env=env)) == {"model.bst": WEIGHTS, "a b/c%.json": b"{}"}
    assert "AWS_REGION" not in env


def test_one_file_is_copied_under_its_name(namenode: Cluster, fetcher: Fetcher) -> None:
    assert contents(fetcher.fetch("hdfs://user/me/x", env={"HDFS_NAMENODE": namenode.url})) == {"x": b"1"}


def test_user_and_headers_are_sent_to_the_namenode_only(namenode: Cluster, fetcher: Fetcher) -> None:
    env = {"HDFS_NAMENODE": namenode.url, "USER_PROXY": "svc", "HEADERS": '{"X-Gate": "hush-hush"}'}
    fetcher.fetch("hdfs://user/me/iris", env=env)

    assert {query["user.name"] for _, query, _ in namenode.asked} == {"svc"}
    assert {headers.get("X-Gate") for _, _, headers in namenode.asked} == {"hush-hush"}
    assert {asked.headers.get("X-Gate") for asked in namenode.datanode.asked} == {None}


def test_a_broken_transfer_goes_on_from_the_offset(namenode: Cluster, fetcher: Fetcher) -> None:
    namenode.datanode.files["/user/me/iris/model.bst-0"] = Served(WEIGHTS, cut_at=300_000, cuts=1)

    assert contents(fetcher.fetch("hdfs://user/me/iris", env={"HDFS_NAMENODE": namenode.url}))["model.bst"] == WEIGHTS
    offsets = [int(query["offset"]) for path, query, _ in namenode.asked if path.endswith("bst") and "offset" in query]
    assert len(offsets) == 2
    assert offsets[1] > 0


def test_a_folder_that_changes_while_it_is_copied_is_listed_again(namenode: Cluster, fetcher: Fetcher) -> None:
    namenode.datanode.files["/user/me/iris/model.bst-0"] = Served(WEIGHTS, failures=[404])

    assert contents(fetcher.fetch("hdfs://user/me/iris", env={"HDFS_NAMENODE": namenode.url}))["model.bst"] == WEIGHTS


def test_the_active_one_of_two_namenodes_is_found(namenode: Cluster, fetcher: Fetcher) -> None:
    with cluster(namenode.datanode) as standby:
        standby.is_standby = True
        env = {"HDFS_NAMENODE": f"{standby.url};{namenode.url}"}

        assert contents(fetcher.fetch("hdfs://user/me/x", env=env)) == {"x": b"1"}


def test_what_is_not_there_is_said_with_the_namenode(namenode: Cluster, fetcher: Fetcher) -> None:
    with pytest.raises(StorageError, match=r"No model found in hdfs://user/none: .*no file or folder /user/none at"):
        fetcher.fetch("hdfs://user/none", env={"HDFS_NAMENODE": namenode.url})


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({}, "HDFS_NAMENODE is missing"),
        ({"HDFS_NAMENODE": "hdfs://namenode:8020"}, "HDFS_NAMENODE must be the namenode's web address"),
        ({"HDFS_NAMENODE": "http://n", "KERBEROS_PRINCIPAL": "me@X"}, "Kerberos is not spoken.*accepted: HDFS_"),
        ({"HDFS_NAMENODE": "http://n", "TLS_CERT": "pem"}, "a client certificate is not spoken"),
        ({"HDFS_NAMENODE": "http://n", "HEADERS": "x"}, "HEADERS must be a JSON object"),
        ({"HDFS_NAMENODE": "http://n", "TLS_SKIP_VERIFY": "maybe"}, "TLS_SKIP_VERIFY must be true or false"),
    ],
)
def test_what_cannot_be_configured_is_named(fetcher: Fetcher, env: dict[str, str], says: str) -> None:
    with pytest.raises(StorageError, match=says):
        fetcher.check("hdfs://user/me", env=env)
