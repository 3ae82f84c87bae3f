"""The JSON schema of the body that makes a deployment, for editors. Draft 4, which is what Yatai's dashboard reads."""

from typing import Any

from fairlead.registry.deploying.bodies import CreateV1

DRAFT_4 = "http://json-schema.org/draft-04/schema#"


def creation_schema() -> dict[str, Any]:
    """The schema of a body of the first dialect."""
    schema = CreateV1.model_json_schema(ref_template="#/definitions/{model}")
    definitions = schema.pop("$defs")
    whole: dict[str, Any] = _older({**schema, "definitions": definitions})
    return {"$schema": DRAFT_4, "title": "Deployment", **{key: value for key, value in whole.items() if key != "title"}}


def _older(value: Any) -> Any:
    """What draft 4 has other words for: constants, and bounds that are left out."""
    if isinstance(value, list):
        return [_older(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _older(each) for key, each in value.items() if key != "const"}
    return {**found, "enum": [value["const"]]} if "const" in value else found
