"""Reads what kind of call a request is, and writes refusals as the called service does.

EC2, the services with the query protocol, S3 and those that speak JSON each have a shape of their own; the clients' SDKs
decide by code and HTTP status whether to retry, so both are AWS's.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")

NAMESPACES = {
    "autoscaling": "http://autoscaling.amazonaws.com/doc/2011-01-01/",
    "elasticloadbalancing": "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "monitoring": "http://monitoring.amazonaws.com/doc/2010-08-01/",
    "route53": "https://route53.amazonaws.com/doc/2013-04-01/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}

# Every other code comes with 400.
STATUS = {
    "AccessDenied": 403,
    "AuthFailure": 401,
    "DryRunOperation": 412,
    "EC2ThrottledException": 503,
    "ExpiredToken": 403,
    "HealthUnavailable": 500,
    "InsufficientCapacity": 500,
    "InsufficientInstanceCapacity": 500,
    "InternalError": 500,
    "PriorRequestNotComplete": 429,
    "RequestLimitExceeded": 503,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
    "UnauthorizedOperation": 403,
    "Unavailable": 503,
}

MESSAGES = {
    "ExpiredToken": "The security token included in the request is expired",
    "InternalError": "An internal error has occurred",
    "RequestExpired": "Request has expired.",
    "RequestLimitExceeded": "Request limit exceeded.",
    "SlowDown": "Please reduce your request rate.",
    "Throttling": "Rate exceeded",
    "ThrottlingException": "Rate exceeded",
    "UnauthorizedOperation": "You are not authorized to perform this operation.",
}


class Refused(Exception):
    """A call that the cloud answers with an error; `front` writes it in the protocol of the service."""

    def __init__(self, code: str, message: str | None = None, status: int | None = None):
        self.code = code
        self.message = message or MESSAGES.get(code, code)
        self.status = status or STATUS.get(code, 400)
        super().__init__(f"{code}: {self.message}")


@dataclass(frozen=True)
class Answer:
    """What goes back to the client."""

    status: int
    body: bytes
    headers: list[tuple[str, str]]


@dataclass(frozen=True)
class Call:
    """What a request asks for: `parameters` is flat, as on the wire of the query protocol."""

    service: str
    action: str
    region: str
    key_id: str
    parameters: dict[str, str]


def read_call(environ: dict[str, Any], body: bytes) -> Call:
    """Tells which action of which service a request is; unsigned ones count as S3's."""
    signed = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    key_id, region, service = signed.groups() if signed else ("", "us-east-1", "s3")
    parameters: dict[str, str] = {}
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        action = target.rpartition(".")[2]
        parameters = {name: str(value) for name, value in _json_object(body).items()}
    elif environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        parameters = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
        action = parameters.get("Action", "")
    else:
        action = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
    return Call(service, action, region, key_id, parameters)


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def write_refusal(service: str, refused: Refused) -> Answer:
    """Returns a refusal as `service` would send it."""
    code, message, request = refused.code, escape(refused.message), str(uuid.uuid4())
    kind = "text/xml"
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    if service == "ec2":
        kind = "text/xml;charset=UTF-8"
        text = (
            f"{declaration}<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request}</RequestID></Response>"
        )
    elif service in NAMESPACES:
        side = "Receiver" if refused.status >= 500 else "Sender"
        text = (
            f'<ErrorResponse xmlns="{NAMESPACES[service]}"><Error><Type>{side}</Type><Code>{code}</Code>'
            f"<Message>{message}</Message></Error><RequestId>{request}</RequestId></ErrorResponse>"
        )
    elif service == "s3":
        kind = "application/xml"
        text = f"{declaration}<Error><Code>{code}</Code><Message>{message}</Message><RequestId>{request}</RequestId></Error>"
    else:
        kind = "application/x-amz-json-1.1"
        text = json.dumps({"__type": code, "message": refused.message})
    return Answer(refused.status, text.encode(), [("Content-Type", kind)])
