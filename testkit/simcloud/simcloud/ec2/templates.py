"""Launch templates: a new version has what its source version had where it says nothing itself, and tags can be added later."""

from __future__ import annotations

from typing import Any

from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.utils import parse_user_data

from ..amend import amend


def install() -> None:
    """Amends CreateLaunchTemplateVersion and DescribeLaunchTemplates."""
    amend(LaunchTemplates, "create_launch_template_version", _create_version)
    amend(LaunchTemplates, "describe_launch_templates", _describe)


def _describe(moto: Any, response: Any) -> Any:
    """moto shows the tags that a template was made with."""
    for template in response.ec2_backend.launch_templates.values():
        template.tags = template.get_tags()
    return moto(response)


def _create_version(moto: Any, response: Any) -> Any:
    parameters, backend = response.params, response.ec2_backend
    data = dict(parameters.get("LaunchTemplateData") or {})
    if "UserData" in data:
        data["UserData"] = parse_user_data(data["UserData"])
    if source := parameters.get("SourceVersion"):
        if parameters.get("LaunchTemplateId"):
            template = backend.get_launch_template(parameters["LaunchTemplateId"])
        else:
            template = backend.get_launch_template_by_name(parameters["LaunchTemplateName"])
        data = {**template.get_version(source).data, **data}
    parameters["LaunchTemplateData"] = data
    return moto(response)
