"""Structural schemas of the core kinds that manifests refer to, and of the metadata that all kinds share.

They say what these kinds mean here: fields that other kinds of Kubernetes need (volume plugins, token projection)
are absent where nothing reads them, except that a PersistentVolumeClaim is taken whole.
"""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time", "nullable": True}
FLAG: Schema = {"type": "boolean"}
INT32: Schema = {"type": "integer", "format": "int32"}
INT64: Schema = {"type": "integer", "format": "int64"}
ANYTHING: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
QUANTITY: Schema = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}


def record(description: str = "", *, required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """An object with these members."""
    schema: Schema = {"type": "object", "properties": properties}
    if description:
        schema["description"] = description
    if required:
        schema["required"] = list(required)
    return schema


def mapping(values: Schema, description: str = "") -> Schema:
    """An object with any members of one type."""
    return {"type": "object", "additionalProperties": values, **({"description": description} if description else {})}


def listing(items: Schema, *, key: str = "", unique: bool = False, description: str = "") -> Schema:
    """A list: atomic, by a key, or a set."""
    schema: Schema = {"type": "array", "items": items}
    if description:
        schema["description"] = description
    if key:
        schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
        schema |= {"x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": key}
    elif unique:
        schema |= {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
    return schema


OWNER = record(
    "An object that this one depends on; it is deleted when all its owners are.",
    required=("apiVersion", "kind", "name", "uid"),
    apiVersion=TEXT,
    kind=TEXT,
    name=TEXT,
    uid=TEXT,
    controller=FLAG,
    blockOwnerDeletion=FLAG,
)
MANAGED = record(
    "Who set which fields.",
    manager=TEXT,
    operation=TEXT,
    apiVersion=TEXT,
    time=TIME,
    fieldsType=TEXT,
    fieldsV1=ANYTHING,
    subresource=TEXT,
)
METADATA = record(
    "What every object has: its name, labels, annotations and what the server keeps about it.",
    name=TEXT,
    generateName=TEXT,
    namespace=TEXT,
    selfLink=TEXT,
    uid=TEXT,
    resourceVersion=TEXT,
    generation=INT64,
    creationTimestamp=TIME,
    deletionTimestamp=TIME,
    deletionGracePeriodSeconds=INT64,
    labels=mapping(TEXT, "For selecting objects."),
    annotations=mapping(TEXT, "For everything else that tools want to remember."),
    finalizers=listing(TEXT, unique=True, description="Deletion waits until this list is empty."),
    ownerReferences=listing(OWNER, key="uid"),
    managedFields=listing(MANAGED),
)
REFERENCE = record(
    apiVersion=TEXT, kind=TEXT, namespace=TEXT, name=TEXT, uid=TEXT, resourceVersion=TEXT, fieldPath=TEXT
)


def root(description: str, *, required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """A whole kind."""
    head = {
        "apiVersion": {**TEXT, "description": "The group and version of this schema."},
        "kind": {**TEXT, "description": "The name of this schema."},
        "metadata": METADATA,
    }
    return record(description, required=required, **head, **properties)


NAMESPACE = root(
    "A scope for names.",
    spec=record("Kept for clients.", finalizers=listing(TEXT)),
    status=record("Where it stands.", phase=TEXT, conditions=listing(ANYTHING, key="type")),
)
SECRET = root(
    "Values that only their users should see.",
    data=mapping({"type": "string", "format": "byte", "nullable": True}, "Values in base64, by name."),
    stringData=mapping(TEXT, "Values as they are; written to data and never read back."),
    type={**TEXT, "description": "What the values are for; Opaque if nothing is said."},
    immutable={**FLAG, "description": "Whether the values are fixed for good."},
)
CONFIG_MAP = root(
    "Settings by name.",
    data=mapping(TEXT, "Text values, by name."),
    binaryData=mapping({"type": "string", "format": "byte"}, "Other values in base64, by name."),
    immutable={**FLAG, "description": "Whether the values are fixed for good."},
)
SERVICE_ACCOUNT = root(
    "An identity that names the secrets a workload may use.",
    secrets=listing(REFERENCE, key="name"),
    imagePullSecrets=listing(record(name=TEXT), key="name"),
    automountServiceAccountToken=FLAG,
)
CLAIM = root(
    "A folder that outlives the workloads which use it.",
    spec={
        **record(
            "What is asked for.",
            accessModes=listing(TEXT),
            resources={**record(requests=mapping(QUANTITY), limits=mapping(QUANTITY)), "description": "Its size."},
            storageClassName=TEXT,
            volumeMode=TEXT,
            volumeName=TEXT,
        ),
        "x-kubernetes-preserve-unknown-fields": True,
    },
    status={**ANYTHING, "description": "Where it stands."},
)
EVENT = root(
    "Something that happened to an object.",
    required=("involvedObject",),
    involvedObject={**REFERENCE, "description": "The object it is about."},
    reason={**TEXT, "description": "One word for what happened."},
    message={**TEXT, "description": "A sentence about it."},
    type={**TEXT, "description": "Normal or Warning."},
    count=INT32,
    firstTimestamp=TIME,
    lastTimestamp=TIME,
    eventTime=TIME,
    source=record(component=TEXT, host=TEXT),
    reportingComponent=TEXT,
    reportingInstance=TEXT,
    action=TEXT,
    related=REFERENCE,
    series=ANYTHING,
)
EVENT_V1 = root(
    "Something that happened to an object.",
    regarding={**REFERENCE, "description": "The object it is about."},
    reason=TEXT,
    note=TEXT,
    type=TEXT,
    action=TEXT,
    eventTime=TIME,
    reportingController=TEXT,
    reportingInstance=TEXT,
    related=REFERENCE,
    series=ANYTHING,
    deprecatedCount=INT32,
    deprecatedFirstTimestamp=TIME,
    deprecatedLastTimestamp=TIME,
    deprecatedSource=record(component=TEXT, host=TEXT),
)
POD = root(
    "One replica. Read-only: it follows from the resource that owns it.",
    spec={**ANYTHING, "description": "What it runs."},
    status={**ANYTHING, "description": "Where it stands."},
)
SCALE = root(
    "A number of replicas, wished and present.",
    spec=record("The wish.", replicas=INT32),
    status=record("What there is.", replicas=INT32, selector=TEXT),
)
