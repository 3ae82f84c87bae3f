"""Annotations of ours by which any dialect's resource says who may send it requests.

They stand at the resource itself, or in the annotations of its spec where a dialect has such. What cannot be read is
refused rather than passed over: a lock that is not there must not look like one.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from fairlead.errors import InvalidManifest, Problem, UnrunnableManifest, Where
from fairlead.plan.access import OPEN, Access, AccessMode

AUTH = "fairlead.dev/auth"
ISSUER, AUDIENCE = "fairlead.dev/auth-jwt-issuer", "fairlead.dev/auth-jwt-audience"
ANNOTATIONS = (AUTH, ISSUER, AUDIENCE)


def access_of(document: Mapping[str, Any]) -> Access:
    """What a manifest asks for. Raises InvalidManifest for what cannot be meant."""
    given = _annotations(document)
    mode, issuer, audience = (given.get(name, "").strip() for name in ANNOTATIONS)
    problems = list(_problems(mode, issuer, audience))
    if problems:
        raise InvalidManifest(problems)
    return Access(mode=AccessMode(mode), issuer=issuer, audience=audience) if mode else OPEN


def refuse_access(document: Mapping[str, Any]) -> None:
    """Raise for a manifest that asks who sends its requests, where requests do not pass our gateway."""
    mode = access_of(document).mode
    if mode is not AccessMode.NONE:
        text = (
            f"{mode}: in a cluster requests do not pass Fairlead's gateway, so nobody would check them; "
            "have the ingress or the mesh do it (Istio's RequestAuthentication and AuthorizationPolicy, say), "
            "and take the annotation away or set it to none"
        )
        raise UnrunnableManifest([_problem(AUTH, text)])


def _annotations(document: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in ("spec", "metadata"):
        holder = document.get(part)
        listed = holder.get("annotations") if isinstance(holder, Mapping) else None
        if isinstance(listed, Mapping):
            found |= {name: str(listed[name]) for name in ANNOTATIONS if name in listed}
    return found


def _problems(mode: str, issuer: str, audience: str) -> list[Problem]:
    if mode not in ("", *AccessMode):
        return [_problem(AUTH, f"{mode!r} is none of {', '.join(AccessMode)}")]
    if mode != AccessMode.JWT:
        given = [name for name, value in ((ISSUER, issuer), (AUDIENCE, audience)) if value]
        return [_problem(name, f"means something only with {AUTH}: jwt") for name in given]
    problems = []
    if not _is_address(issuer):
        problems.append(_problem(ISSUER, "must be the issuer's https address (http is for one on this machine)"))
    if not audience:
        problems.append(_problem(AUDIENCE, "must be what the issuer puts into `aud` of tokens for this deployment"))
    return problems


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_here))


def _problem(name: str, text: str) -> Problem:
    path = f"metadata.annotations[{name}]"
    return Problem(where=Where(path=path), message=text, field=path)
