"""DescribeInstances of very many: what was written of an instance is kept until something may have changed it.

moto needs milliseconds to write one, which of a thousand are more than a client waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.serialize import EC2Serializer

from ..amend import amend
from ..wire import Call

# These change the instances that they name, and no others.
NAMING = ("CreateTags", "DeleteTags", "TerminateInstances")
# These change none that there is.
HARMLESS = ("Describe", "Get", "RunInstances")


class Shown:
    """What was written of instances, by id, with what it was written of."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}
        amend(EC2Serializer, "_serialize_type_structure", self._serialize)

    def forget(self, call: Call) -> None:
        """Takes note of a call that is about to be carried out."""
        if call.action.startswith(HARMLESS):
            return
        if call.action in NAMING:
            for name in call.parameters.values():
                self._kept.pop(name, None)
        else:
            self._kept.clear()

    def _serialize(
        self, moto: Callable[..., Any], serializer: Any, serialized: dict[str, Any], value: Any, shape: Any, key: str
    ) -> None:
        if not key or shape.name != "Instance" or serializer.operation_model.name != "DescribeInstances":
            moto(serializer, serialized, value, shape, key)
            return
        # Time changes these, and machines do.
        present = (value.state, str(value.state_reason), value.private_ip, value.public_ip)
        kept = self._kept.get(value.id)
        if kept is not None and kept[0] == present:
            serializer._default_serialize(serialized, kept[1], shape, key)
            return
        moto(serializer, serialized, value, shape, key)
        self._kept[value.id] = present, serialized[serializer.get_serialized_name(shape, key)]
