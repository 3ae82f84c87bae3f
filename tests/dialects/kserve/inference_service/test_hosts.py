"""Names made by templates, and taken apart again."""

import pytest

from fairlead.dialects.kserve.inference_service import hosts
from fairlead.dialects.kserve.inference_service.hosts import Ingress, Named
from fairlead.errors import ConfigError

IRIS = Named(name="iris", namespace="models", annotations={"team/name": "blue"}, labels={"tier": "gold"})


@pytest.mark.parametrize(
    ("template", "host"),
    [
        (hosts.DOMAIN_TEMPLATE, "iris-models.example.org"),
        ("{{.Name}}.{{.Namespace}}.{{.IngressDomain}}", "iris.models.example.org"),
        ("{{- .Name -}}-{{ .Labels.tier }}.{{ .IngressDomain }}", "iris-gold.example.org"),
        ('{{ .Name }}-{{ index .Annotations "team/name" }}.here', "iris-blue.here"),
    ],
)
def test_a_template_is_filled_in(template: str, host: str) -> None:
    ingress = Ingress(domain="example.org", domain_template=template)

    assert hosts.standard_host(IRIS, "iris", ingress) == host


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ .Name | upper }}.x", "'{{ .Name | upper }}' is not understood"),
        ("{{ .Nome }}.x", "is not understood"),
        ("{{ .Name }}_{{ .Namespace }}.x", "invalid domain name 'iris_models.x'"),
        ("{{ .Annotations.nothing }}.x", "invalid domain name"),
        ("{{ .Name }}" + "x" * 70, "invalid domain name"),
    ],
)
def test_a_template_that_gives_no_name_is_refused(template: str, words: str) -> None:
    with pytest.raises(ConfigError, match="domainTemplate") as refusal:
        hosts.standard_host(IRIS, "iris", Ingress(domain_template=template))

    assert words in str(refusal.value)


def test_a_path_template_gives_a_path_without_a_slash_at_its_end() -> None:
    assert (
        hosts.path_of(IRIS, Ingress(path_template="/serving/{{ .Namespace }}/{{ .Name }}/")) == "/serving/models/iris"
    )
    assert hosts.path_of(IRIS, Ingress()) == ""


def test_other_domains_get_the_same_name() -> None:
    ingress = Ingress(domain="example.org", additional_domains=("a.test", "example.org", "a.test", "b.test"))

    assert hosts.additional("iris.models.example.org", ingress) == ("iris.models.a.test", "iris.models.b.test")
    assert hosts.additional("iris.elsewhere", ingress) == ()


def test_a_name_is_taken_apart_in_every_way_that_there_is() -> None:
    found = hosts.possible_owners("a-b-c.example.org", Ingress(domain="example.org"))

    assert set(found) == {("b-c", "a"), ("c", "a-b")}


def test_a_name_of_knative_is_of_one_service() -> None:
    assert hosts.possible_owners("a-b.c.example.org", Ingress(domain="example.org", domain_template="x")) == (
        ("c", "a-b"),
    )


def test_a_template_of_more_than_names_tells_nobody_whose_a_name_is() -> None:
    ingress = Ingress(domain="example.org", domain_template="{{ .Name }}-{{ .Labels.tier }}.{{ .IngressDomain }}")

    assert hosts.possible_owners("iris-gold.example.org", ingress) == ()
