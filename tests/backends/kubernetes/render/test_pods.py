"""Pod templates: complete, and pulled with the installation's secrets where they run our image."""

from fairlead.backends.kubernetes.render.place import Place
from fairlead.backends.kubernetes.render.pods import spec, template
from fairlead.dialects.clusters import ClusterSettings
from support.layouts import OWNER, pod

SETTINGS = ClusterSettings(image_pull_secrets=("ours", "both"))


def test_a_pod_with_our_image_gets_the_secrets_that_it_lacks() -> None:
    place = Place(owner=OWNER, settings=SETTINGS)
    given = [{"name": "both"}, {"name": "mine"}]

    assert spec(pod(own="main", imagePullSecrets=given), place)["imagePullSecrets"] == [*given, {"name": "ours"}]
    assert "imagePullSecrets" not in spec(pod(), place)


def test_a_template_has_annotations_only_where_there_are_any() -> None:
    place = Place(owner=OWNER, settings=ClusterSettings())

    assert template(pod(), place)["metadata"] == {"labels": {"app": "iris"}}


def test_the_profile_is_the_installations() -> None:
    place = Place(owner=OWNER, settings=ClusterSettings(values={"security": {"profile": "none"}}))

    assert "securityContext" not in spec(pod(own="main"), place)["containers"][0]
