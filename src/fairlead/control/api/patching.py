"""The three patches that say what to change: JSON merge patch (RFC 7386), JSON patch (RFC 6902) and Kubernetes'
strategic merge patch. Pure: each returns a new document.
"""

from copy import deepcopy
from typing import Any

from fairlead.errors import BadRequest, InvalidManifest, Problem, Where

MAX_OPERATIONS = 10_000
"""As many as an API server takes in one JSON patch."""


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: objects merge, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patch(result.get(key), value)
    return result


def json_patch(document: Any, operations: Any) -> Any:
    """RFC 6902. An operation that cannot be done, or a `test` that fails, refuses the whole patch."""
    if not isinstance(operations, list) or not all(isinstance(item, dict) for item in operations):
        raise BadRequest("a JSON patch is a list of operations: [{op, path, value}, ...]")
    if len(operations) > MAX_OPERATIONS:
        raise BadRequest(f"a JSON patch may hold {MAX_OPERATIONS} operations, this one has {len(operations)}")
    root = {"": deepcopy(document)}
    for number, operation in enumerate(operations):
        try:
            _operate(root, operation)
        except (LookupError, ValueError, TypeError) as error:
            what = f"operation {number} ({operation.get('op')} {operation.get('path')}): {error}"
            raise InvalidManifest(
                [Problem(where=Where(path=f"[{number}]"), message=str(error))], message=what
            ) from error
    return root[""]


def _operate(root: dict[str, Any], operation: dict[str, Any]) -> None:
    name = operation.get("op")
    path = _pointer(operation.get("path"))
    if name in ("add", "replace", "test") and "value" not in operation:
        raise ValueError("the operation needs a value")
    if name == "add":
        _add(root, path, deepcopy(operation["value"]))
    elif name == "remove":
        _remove(root, path)
    elif name == "replace":
        _at(root, path)
        _remove(root, path) if len(path) > 1 else None
        _add(root, path, deepcopy(operation["value"]))
    elif name == "move":
        source = _pointer(operation.get("from"))
        if len(path) > len(source) and path[: len(source)] == source:
            raise ValueError("a value cannot be moved into itself")
        value = _at(root, source)
        _remove(root, source)
        _add(root, path, value)
    elif name == "copy":
        _add(root, path, deepcopy(_at(root, _pointer(operation.get("from")))))
    elif name == "test":
        if not _equal(_at(root, path), operation["value"]):
            raise ValueError("the test failed: the value is another")
    else:
        raise ValueError("unknown operation; accepted: add, remove, replace, move, copy, test")


def _equal(left: Any, right: Any) -> bool:
    """JSON's equality: unlike Python's, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)


def _pointer(text: Any) -> list[str]:
    """A JSON pointer (RFC 6901), starting with the root's key."""
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise ValueError(f"{text!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")]


def _at(root: Any, path: list[str]) -> Any:
    value = root
    for part in path:
        value = value[_index(value, part)]
    return value


def _index(container: Any, part: str, *, allow_end: bool = False) -> Any:
    if isinstance(container, list):
        if part == "-" and allow_end:
            return len(container)
        if not (part.isascii() and part.isdigit()) or (part.startswith("0") and part != "0"):
            raise ValueError(f"{part!r} is not an index")
        if int(part) >= len(container) + allow_end:
            raise LookupError(f"there is no item {part}")
        return int(part)
    if not isinstance(container, dict):
        raise TypeError(f"there is nothing under {part!r}")
    if part not in container and not allow_end:
        raise LookupError(f"there is no field {part!r}")
    return part


def _add(root: Any, path: list[str], value: Any) -> None:
    parent = _at(root, path[:-1])
    index = _index(parent, path[-1], allow_end=True)
    if isinstance(parent, list):
        parent.insert(index, value)
    else:
        parent[index] = value


def _remove(root: Any, path: list[str]) -> None:
    if len(path) == 1:
        raise ValueError("the whole document cannot be removed")
    parent = _at(root, path[:-1])
    del parent[_index(parent, path[-1])]


def strategic_merge(target: Any, patch: Any, schema: dict[str, Any]) -> Any:
    """Kubernetes' own patch: like a merge patch, but lists whose schema names a merge key are merged by it.

    `$patch: replace|delete|merge`, `$retainKeys`, `$deleteFromPrimitiveList/<field>` and
    `$setElementOrder/<field>` are understood.
    """
    if not isinstance(patch, dict):
        return deepcopy(patch)
    if patch.get("$patch") == "replace":
        return {key: deepcopy(value) for key, value in patch.items() if key != "$patch"}
    if patch.get("$patch") == "delete":
        return {}
    result = dict(target) if isinstance(target, dict) else {}
    if "$retainKeys" in patch:
        result = {key: value for key, value in result.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(result, key, value, _child_schema(schema, key))
    for key, value in patch.items():
        _apply_directive(result, key, value, schema)
    return result


def _merge_field(result: dict[str, Any], key: str, value: Any, schema: dict[str, Any]) -> None:
    if value is None:
        result.pop(key, None)
    elif isinstance(value, list) and schema.get("x-kubernetes-patch-strategy") == "merge":
        result[key] = _merge_list(result.get(key) or [], value, schema)
    else:
        result[key] = strategic_merge(result.get(key), value, schema)


def _merge_list(target: list[Any], patch: list[Any], schema: dict[str, Any]) -> list[Any]:
    merge_key = schema.get("x-kubernetes-patch-merge-key")
    if merge_key is None:
        return [*target, *(item for item in patch if item not in target)]
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    result = list(target)
    for item in patch:
        found = next((i for i, old in enumerate(result) if old.get(merge_key) == item.get(merge_key)), None)
        if item.get("$patch") == "delete":
            result = [old for old in result if old.get(merge_key) != item.get(merge_key)]
        elif found is None:
            result.append(deepcopy(item))
        else:
            result[found] = strategic_merge(result[found], item, schema.get("items", {}))
    return result


def _apply_directive(result: dict[str, Any], key: str, value: Any, schema: dict[str, Any]) -> None:
    directive, _, name = key.partition("/")
    if directive == "$deleteFromPrimitiveList" and isinstance(result.get(name), list):
        result[name] = [item for item in result[name] if item not in value]
    elif directive == "$setElementOrder" and isinstance(result.get(name), list):
        merge_key = _child_schema(schema, name).get("x-kubernetes-patch-merge-key")
        order = [item.get(merge_key) if merge_key and isinstance(item, dict) else item for item in value]

        def place(item: Any) -> int:
            own = item.get(merge_key) if merge_key and isinstance(item, dict) else item
            return order.index(own) if own in order else len(order)

        result[name] = sorted(result[name], key=place)


def _child_schema(schema: dict[str, Any], key: str) -> dict[str, Any]:
    child = schema.get("properties", {}).get(key, schema.get("additionalProperties", {}))
    return child if isinstance(child, dict) else {}
