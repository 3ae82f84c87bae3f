"""What an API server does to the kinds it is born with: defaults, allocated addresses, fields that stay, rules beyond
the schema. From the reference of the API and the pages about each kind."""

from copy import deepcopy
from typing import Any

import pytest

from support.cluster import Cluster, Refusal, running_cluster
from support.cluster.client import STRATEGIC, Api

pytestmark = pytest.mark.anyio

Document = dict[str, Any]
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
CORE = "/api/v1/namespaces/default"


def deployment(name: str = "iris", **pod: Any) -> Document:
    container = {"name": "main", "image": "example.com/iris:1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **pod}},
        },
    }


def container(**fields: Any) -> Document:
    return deployment(containers=[{"name": "main", "image": "example.com/iris:1", **fields}])


def service(**spec: Any) -> Document:
    body = {"selector": {"app": "iris"}, "ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "iris"}, "spec": body}


async def test_a_deployment_is_filled_in(api: Api) -> None:
    made = (await api.create(DEPLOYMENTS, container(readinessProbe={"httpGet": {"port": 80}}))).body["spec"]

    assert made["replicas"] == 1
    assert made["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert made["progressDeadlineSeconds"] == 600
    pod = made["template"]["spec"]
    assert (pod["restartPolicy"], pod["dnsPolicy"]) == ("Always", "ClusterFirst")
    assert pod["securityContext"] == {}
    (main,) = pod["containers"]
    assert main["imagePullPolicy"] == "IfNotPresent"
    assert main["resources"] == {}
    assert main["readinessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [("iris", "Always"), ("iris:latest", "Always"), ("host:5000/iris", "Always"), ("iris@sha256:ab", "IfNotPresent")],
)
async def test_an_image_without_a_tag_is_always_pulled(api: Api, image: str, policy: str) -> None:
    made = await api.create(DEPLOYMENTS, container(image=image))

    assert made.body["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == policy


async def test_quantities_are_written_in_one_way(api: Api) -> None:
    limits = {"cpu": "1000m", "memory": "1024Mi"}
    made = await api.create(DEPLOYMENTS, container(resources={"limits": limits}))

    resources = made.body["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert resources == {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}


async def test_what_is_written_empty_is_not_stored(api: Api) -> None:
    made = await api.create(DEPLOYMENTS, container(env=[{"name": "A", "value": ""}], args=[]))

    (main,) = made.body["spec"]["template"]["spec"]["containers"]
    assert main["env"] == [{"name": "A"}]
    assert "args" not in main


async def test_a_selector_stays(api: Api) -> None:
    await api.create(DEPLOYMENTS, deployment())
    other = {
        "spec": {"selector": {"matchLabels": {"app": "other"}}, "template": {"metadata": {"labels": {"app": "other"}}}}
    }

    refused = await api.merge(f"{DEPLOYMENTS}/iris", other)

    assert refused.code == 422
    assert refused.body["message"].startswith('Deployment.apps "iris" is invalid: spec.selector: Invalid value: ')
    assert refused.body["message"].endswith("field is immutable")


async def test_a_value_of_a_wrong_type_is_no_request(api: Api) -> None:
    wrong = deployment()
    wrong["spec"]["replicas"] = "two"

    refused = await api.create(DEPLOYMENTS, wrong)

    assert (refused.code, refused.body["reason"]) == (400, "BadRequest")
    assert refused.body["message"].startswith(
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot'
    )


async def test_an_unknown_field_warns_or_refuses(api: Api) -> None:
    wrong = container(imagePolicy="Always")

    warned = await api.create(DEPLOYMENTS, wrong, dryRun="All")
    refused = await api.create(DEPLOYMENTS, wrong, fieldValidation="Strict")

    text = "spec.template.spec.containers[0].imagePolicy"
    assert warned.warnings == (f'299 - "unknown field \\"{text}\\""',)
    assert refused.code == 400
    assert f'strict decoding error: unknown field "{text}"' in refused.body["message"]


CONTAINER = "spec.template.spec.containers[0]"


@pytest.mark.parametrize(
    ("wrong", "field", "text"),
    [
        (container(name="Main"), f"{CONTAINER}.name", "a lowercase RFC 1123 label"),
        (container(image=""), f"{CONTAINER}.image", "Required value"),
        (container(volumeMounts=[{"name": "v", "mountPath": "/m"}]), f"{CONTAINER}.volumeMounts[0].name", "Not found"),
        (container(ports=[{"containerPort": 0}]), f"{CONTAINER}.ports[0].containerPort", "between 1 and 65535"),
        (
            container(ports=[{"containerPort": 1, "name": "a-very-long-port"}]),
            f"{CONTAINER}.ports[0].name",
            "no more than 15",
        ),
        (container(livenessProbe={"periodSeconds": 3}), f"{CONTAINER}.livenessProbe", "must specify a handler type"),
        (
            container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
            f"{CONTAINER}.resources.requests",
            "must be less than or equal to cpu limit of 1",
        ),
        (
            container(resources={"requests": {"example.com/gpu": "1"}}),
            f"{CONTAINER}.resources.limits",
            "Limit must be set for non overcommitable resources",
        ),
        (deployment(restartPolicy="Never"), "spec.template.spec.restartPolicy", 'Unsupported value: "Never"'),
        (deployment(volumes=[{"name": "v"}, {"name": "v"}]), "spec.template.spec.volumes[1].name", "Duplicate value"),
    ],
)
async def test_a_pod_that_cannot_be_is_refused(api: Api, wrong: Document, field: str, text: str) -> None:
    refused = await api.create(DEPLOYMENTS, wrong)

    assert refused.code == 422, refused.body
    causes = {cause["field"]: cause["message"] for cause in refused.body["details"]["causes"]}
    assert text in causes[field]


async def test_labels_of_a_template_fit_its_selector(api: Api) -> None:
    wrong = deployment()
    wrong["spec"]["template"]["metadata"]["labels"] = {"app": "other"}

    refused = await api.create(DEPLOYMENTS, wrong)

    assert refused.code == 422
    assert "`selector` does not match template `labels`" in refused.body["message"]


async def test_a_service_gets_an_address_of_its_own_and_keeps_it(api: Api) -> None:
    made = await api.create(f"{CORE}/services", service())
    other = service()
    other["metadata"]["name"] = "other"
    second = await api.create(f"{CORE}/services", other)
    changed = await api.replace(f"{CORE}/services/iris", service(ports=[{"port": 81}]))

    spec = made.body["spec"]
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert spec["clusterIP"] != second.body["spec"]["clusterIP"]
    assert changed.body["spec"]["clusterIP"] == spec["clusterIP"]
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert spec["sessionAffinity"] == "None"


async def test_a_service_does_not_change_its_address(api: Api) -> None:
    await api.create(f"{CORE}/services", service())

    refused = await api.merge(f"{CORE}/services/iris", {"spec": {"clusterIP": "10.1.1.1"}})

    assert refused.code == 422
    assert "may not change once set" in refused.body["message"]


async def test_a_headless_service_has_none(api: Api) -> None:
    made = await api.create(f"{CORE}/services", service(clusterIP="None"))

    assert made.body["spec"]["clusterIPs"] == ["None"]


async def test_several_ports_need_names(api: Api) -> None:
    refused = await api.create(f"{CORE}/services", service(ports=[{"port": 80}, {"port": 81}]))

    assert [cause["field"] for cause in refused.body["details"]["causes"]] == [
        "spec.ports[0].name",
        "spec.ports[1].name",
    ]


async def test_names_of_services_are_shorter_words(api: Api) -> None:
    wrong = service()
    wrong["metadata"]["name"] = "1-iris"

    refused = await api.create(f"{CORE}/services", wrong)

    assert "a DNS-1035 label must consist of" in refused.body["message"]


async def test_texts_of_a_secret_become_bytes(api: Api) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}}

    made = await api.create(f"{CORE}/secrets", secret)

    assert made.body["data"] == {"a": "Yg=="}
    assert "stringData" not in made.body
    assert made.body["type"] == "Opaque"


async def test_an_autoscaler_keeps_its_bounds_in_order(api: Api) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "iris"}
    spec = {"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 2}
    body = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}, "spec": spec}

    refused = await api.create("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", body)

    assert (
        "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`" in refused.body["message"]
    )


async def test_a_strategic_merge_knows_containers_by_name(api: Api) -> None:
    await api.create(DEPLOYMENTS, container(env=[{"name": "A", "value": "1"}]))
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "main", "env": [{"name": "B", "value": "2"}]}]}}}}

    patched = await api.call("PATCH", f"{DEPLOYMENTS}/iris", patch, media=STRATEGIC)

    (main,) = patched.body["spec"]["template"]["spec"]["containers"]
    assert {item["name"]: item["value"] for item in main["env"]} == {"A": "1", "B": "2"}
    assert main["image"] == "example.com/iris:1"


async def test_a_merge_patch_replaces_lists(api: Api) -> None:
    await api.create(DEPLOYMENTS, container(env=[{"name": "A", "value": "1"}]))
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "other", "image": "x:1"}]}}}}

    patched = await api.merge(f"{DEPLOYMENTS}/iris", patch)

    assert [item["name"] for item in patched.body["spec"]["template"]["spec"]["containers"]] == ["other"]


async def test_nothing_is_created_in_a_namespace_that_is_not_there(api: Api) -> None:
    refused = await api.create("/apis/apps/v1/namespaces/nowhere/deployments", deployment())

    assert refused.code == 404
    assert refused.body["message"] == 'namespaces "nowhere" not found'


async def test_a_namespace_takes_its_objects_along(cluster: Cluster, api: Api) -> None:
    await api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
    held = deployment()
    held["metadata"]["finalizers"] = ["example.com/wait"]
    path = "/apis/apps/v1/namespaces/team/deployments"
    await api.create(path, held)

    going = await api.delete("/api/v1/namespaces/team")
    late = await api.create(path, deployment("late"))
    cluster.settle()
    still = await api.get("/api/v1/namespaces/team")
    await api.merge(f"{path}/iris", {"metadata": {"finalizers": None}})
    cluster.settle()

    assert going.body["status"]["phase"] == "Terminating"
    assert late.code == 403
    assert "because it is being terminated" in late.body["message"]
    assert still.code == 200
    assert (await api.get("/api/v1/namespaces/team")).code == 404


async def owned(cluster: Cluster, **reference: Any) -> None:
    """A ConfigMap `part` that belongs to the ConfigMap `whole`."""
    head: Document = {"apiVersion": "v1", "kind": "ConfigMap"}
    whole = await cluster.create({**head, "metadata": {"name": "whole"}})
    owner = {**head, "name": "whole", "uid": whole["metadata"]["uid"], **reference}
    await cluster.create({**head, "metadata": {"name": "part", "ownerReferences": [owner]}})


WHOLE: Document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "whole"}}


async def test_what_is_owned_goes_after_its_owner(cluster: Cluster) -> None:
    await owned(cluster)

    await cluster.delete(WHOLE)
    before = cluster.names("ConfigMap")
    cluster.settle()

    assert before == ["part"]
    assert cluster.names("ConfigMap") == []


async def test_a_deletion_in_the_foreground_waits_for_what_is_owned(cluster: Cluster) -> None:
    cluster.is_left_to_itself = False
    await owned(cluster, blockOwnerDeletion=True)
    await cluster.merge({**WHOLE, "metadata": {"name": "part"}}, {"metadata": {"finalizers": ["example.com/wait"]}})

    await cluster.delete(WHOLE, propagationPolicy="Foreground")
    cluster.settle()
    held = cluster.names("ConfigMap")
    await cluster.merge({**WHOLE, "metadata": {"name": "part"}}, {"metadata": {"finalizers": None}})
    cluster.settle()

    assert held == ["part", "whole"]
    assert cluster.names("ConfigMap") == []


async def test_orphans_forget_their_owner(cluster: Cluster) -> None:
    await owned(cluster)

    await cluster.delete(WHOLE, propagationPolicy="Orphan")
    cluster.settle()

    assert cluster.names("ConfigMap") == ["part"]
    assert "ownerReferences" not in cluster.get("ConfigMap", "part")["metadata"]


async def test_what_never_had_an_owner_that_lives_is_collected(cluster: Cluster) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "never-was"}
    await cluster.create({**WHOLE, "metadata": {"name": "part", "ownerReferences": [owner]}})

    cluster.settle()

    assert cluster.names("ConfigMap") == []


async def test_an_owner_in_another_namespace_is_none(cluster: Cluster) -> None:
    await owned(cluster)
    part = cluster.get("ConfigMap", "part")
    moved = deepcopy(WHOLE)
    moved["metadata"] = {
        "name": "part",
        "namespace": "kube-public",
        "ownerReferences": part["metadata"]["ownerReferences"],
    }
    await cluster.create(moved)

    cluster.settle()

    assert cluster.names("ConfigMap", "kube-public") == []
    assert cluster.names("ConfigMap", "default") == ["part", "whole"]


async def test_roles_of_a_binding_stay(cluster: Cluster) -> None:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "one"}
    binding: Document = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b"}}
    await cluster.create({**binding, "roleRef": reference})

    with pytest.raises(Refusal, match="cannot change roleRef"):
        await cluster.merge(binding, {"roleRef": {"name": "two"}})


async def test_pods_of_a_job_stay_unless_they_are_to_go(cluster: Cluster) -> None:
    container = {"name": "load", "image": "example.com/load:1"}
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
    job: Document = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "load"}, "spec": spec}
    for policy, left in (({}, 1), ({"propagationPolicy": "Background"}, 1)):
        await cluster.create(job)
        cluster.settle()
        await cluster.delete(job, **policy)
        cluster.settle()
        assert len(cluster.names("Pod")) == left


@pytest.mark.parametrize("release", ["1.28", "1.32", "1.36"])
async def test_every_release_takes_a_deployment(release: str) -> None:
    async with running_cluster(release=release) as cluster:
        first = await cluster.apply(deployment())
        again = await cluster.apply(deployment())
        cluster.settle()

        assert first == again
        assert cluster.get("Deployment", "iris")["status"]["readyReplicas"] == 1
