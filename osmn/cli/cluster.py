"""The check of `TF_CONFIG` in the environment: the machines that train together, as tf.distribute reads them."""

import json
from typing import TypeVar

from osmn.errors import InputError

Kind = TypeVar("Kind")

JSON_KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "text", int: "a whole number"}


def check(text: str | None) -> None:
    """Raise InputError for a value of `TF_CONFIG` that describes no cluster with this process in it.

    None or "" stands for a single process.
    """
    if not text:
        return
    try:
        config = _of_kind(json.loads(text), dict, "it")
        cluster = _of_kind(config.get("cluster"), dict, "cluster")
        task = _of_kind(config.get("task"), dict, "task")
        for kind, addresses in cluster.items():
            if kind not in ("chief", "worker"):
                raise ValueError(f"cluster has {kind!r}; chief and worker are known")
            for address in _of_kind(addresses, list, f"cluster's {kind}"):
                _of_kind(address, str, f"an address of {kind}")
        kind, index = _of_kind(task.get("type"), str, "task's type"), _of_kind(task.get("index"), int, "task's index")
        if kind not in cluster:
            raise ValueError(f"task's type is {kind!r}, which cluster does not have")
        if not 0 <= index < len(cluster[kind]):
            raise ValueError(f"task's index is {index}, but cluster has {len(cluster[kind])} of {kind}")
    except (ValueError, RecursionError) as error:
        raise InputError(f"TF_CONFIG in the environment is no cluster: {error}; see doc/scaling.md") from None


def _of_kind(value: object, kind: type[Kind], name: str) -> Kind:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"{name} is {json.dumps(value)[:80]}, not {JSON_KINDS[kind]}")
    return value
