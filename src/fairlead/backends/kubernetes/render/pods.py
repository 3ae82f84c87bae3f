"""Pod templates: what the front-end wrote, confined, and with the secrets that our image is pulled with."""

from typing import Any

from fairlead.backends.kubernetes.render.amounts import with_written_amounts
from fairlead.backends.kubernetes.render.hardening import Profile, hardened
from fairlead.backends.kubernetes.render.place import Object, Place
from fairlead.backends.kubernetes.render.repeats import without_repeats
from fairlead.backends.kubernetes.render.user_fields import POD, known
from fairlead.plan.layout import PodTemplate


def template(pod: PodTemplate, place: Place) -> Object:
    """The template of a workload's pods."""
    metadata: Object = {"labels": {**pod.labels}}
    if pod.annotations:
        metadata["annotations"] = {**pod.annotations}
    return {"metadata": metadata, "spec": spec(pod, place)}


def spec(pod: PodTemplate, place: Place) -> dict[str, Any]:
    """The PodSpec alone."""
    profile = Profile(place.settings.value("security.profile", Profile.COMPATIBLE))
    written = hardened(with_written_amounts(without_repeats(known(pod.spec, POD))), pod.own, profile)
    return _with_pull_secrets(written, place) if pod.own else written


def _with_pull_secrets(written: dict[str, Any], place: Place) -> dict[str, Any]:
    given = written.get("imagePullSecrets") or []
    names = {str(secret.get("name")) for secret in given}
    missing = [{"name": name} for name in place.settings.image_pull_secrets if name not in names]
    return {**written, "imagePullSecrets": [*given, *missing]} if missing else written
