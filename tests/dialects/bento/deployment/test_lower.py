"""What of a BentoDeployment no golden folder holds."""

import pytest

from fairlead.dialects.bento import BentoDialect
from fairlead.dialects.bento.deployment.bentos import BentoNotReady
from fairlead.dialects.catalog import Catalog
from fairlead.errors import InvalidManifest
from support.bentos_stored import bento, deployment, request
from support.stored_docs import DocumentWorld

DIALECT = BentoDialect("http://localhost:8080")
WORLD = DocumentWorld([bento(), request()])
COLD_START = "fairlead.dev/cold-start-timeout"


@pytest.mark.parametrize(("annotations", "patience_s"), [({}, 60.0), ({COLD_START: "5"}, 5.0)])
def test_requests_wait_for_a_first_replica_as_long_as_is_said(annotations: dict[str, str], patience_s: float) -> None:
    plan = DIALECT.lower(deployment(bento="iris", annotations=annotations), catalog=Catalog(), world=WORLD)
    assert [component.patience_s for component in plan.components] == [patience_s]


def test_a_wait_that_is_no_number_is_refused() -> None:
    with pytest.raises(InvalidManifest, match="'soon' is no whole number of seconds"):
        DIALECT.lower(deployment(bento="iris", annotations={COLD_START: "soon"}), catalog=Catalog(), world=WORLD)


def test_a_bento_whose_request_asks_for_another_by_now_is_waited_for() -> None:
    changed = request(bentoTag="iris_classifier:newer")
    world = DocumentWorld([bento(owner=changed), changed])

    with pytest.raises(BentoNotReady):
        DIALECT.lower(deployment(bento="iris"), catalog=Catalog(), world=world)
