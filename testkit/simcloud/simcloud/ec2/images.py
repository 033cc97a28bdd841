"""Images made of instances: pending for a while, with a name of their own, and with the instance's disk if it has one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from moto.ec2.responses.amis import AmisResponse

from ..amend import amend
from ..cloud import Cloud
from ..wire import Refused


class Images:
    """Amends CreateImage; `keep_disk(instance_id, image_id)` copies what the machine has written, or raises OSError."""

    def __init__(self, cloud: Cloud, keep_disk: Callable[[str, str], None] | None):
        self.cloud = cloud
        self.keep_disk = keep_disk
        amend(AmisResponse, "create_image", self._create)

    def _create(self, moto: Any, response: Any) -> Any:
        parameters, backend = response.params, response.ec2_backend
        name, instance_id = parameters.get("Name"), parameters["InstanceId"]
        for image in backend.amis.values():
            if image.name == name and image.owner_id == backend.account_id:
                raise Refused("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {image.id}")
        specifications = parameters.get("TagSpecifications") or []
        # moto knows no tags of the snapshot that belongs to an image.
        parameters["TagSpecifications"] = [each for each in specifications if each["ResourceType"] == "image"]
        result = moto(response)
        image = backend.amis[result.result["ImageId"]]
        for each in specifications:
            if each["ResourceType"] == "snapshot":
                image.ebs_snapshot.add_tags({tag["Key"]: tag["Value"] for tag in each["Tags"]})
        image.state = "pending"
        threading.Thread(target=self._finish, args=(image, instance_id), daemon=True).start()
        return result

    def _finish(self, image: Any, instance_id: str) -> None:
        waited = threading.Event()
        try:
            if self.keep_disk is not None:
                self.keep_disk(instance_id, image.id)
        except OSError:
            image.state = "failed"
            return
        waited.wait(self.cloud.times.image)
        image.state = "available"
