"""The instance metadata service at 169.254.169.254, version 1 and 2.

The hypervisor serves it, which knows a machine by its address. The reply with a token leaves with as many hops to live as
the instance's options say, so that a container behind a machine's own router never sees it when that is one.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from moto.sts.models import sts_backends

from .. import account
from ..cloud import Cloud
from ..ec2 import profiles
from .hosting import Hosting
from .identity import Signer, document
from .network import METADATA_ADDRESS

LONGEST_TOKEN_SECONDS = 21600
TOKEN_SECONDS = "X-aws-ec2-metadata-token-ttl-seconds"
CREDENTIAL_SECONDS = 6 * 3600
ISO = "%Y-%m-%dT%H:%M:%SZ"


class Metadata:
    """Answers for all instances."""

    def __init__(self, cloud: Cloud, hosting: Hosting, signer: Signer):
        self.cloud, self.hosting, self.signer = cloud, hosting, signer
        self._tokens: dict[tuple[str, str], float] = {}
        self._credentials: dict[str, dict[str, str]] = {}

    def serve(self) -> None:
        """Begins to answer, in threads of its own."""
        metadata = self

        class Handler(BaseHTTPRequestHandler):
            """One request of a machine."""

            timeout = 10

            def do_GET(self) -> None:
                """Answers a question."""
                metadata.handle(self)

            do_PUT = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer((METADATA_ADDRESS, 80), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="metadata", daemon=True).start()

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Answers one request."""
        machine = self.hosting.find(request.client_address[0])
        if machine is None:
            request.close_connection = True
            return
        with self.cloud.lock:
            instance = self.cloud.lives.find(machine.instance_id)
            status, body = self._answer(instance, request.command, request.path.rstrip("/"), request.headers)
        if request.command == "PUT":
            hops = instance.metadata_options.http_put_response_hop_limit if instance else 1
            request.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
        request.send_response(status)
        request.send_header("Content-Type", "text/plain")
        request.send_header("Content-Length", str(len(body)))
        if request.command == "PUT" and status == 200:
            # SDKs take no token without it.
            request.send_header(TOKEN_SECONDS, request.headers[TOKEN_SECONDS])
        request.end_headers()
        request.wfile.write(body)

    def _answer(self, instance: Any, method: str, path: str, headers: Any) -> tuple[int, bytes]:
        options = instance.metadata_options
        if options.http_endpoint == "disabled":
            return 403, b""
        if method == "PUT":
            return self._new_token(instance, path, headers)
        token = headers.get("X-aws-ec2-metadata-token")
        if token is None:
            if options.http_tokens == "required":
                return 401, b""
        elif self._tokens.get((instance.id, token), 0.0) < time.monotonic():
            return 401, b""
        found = self._find(instance, path)
        return (404, b"") if found is None else (200, found)

    def _new_token(self, instance: Any, path: str, headers: Any) -> tuple[int, bytes]:
        wanted = headers.get(TOKEN_SECONDS, "")
        if path != "/latest/api/token":
            return 404, b""
        # A reverse proxy in the machine must not hand tokens out.
        if "X-Forwarded-For" in headers:
            return 403, b""
        if not wanted.isdigit() or not 1 <= int(wanted) <= LONGEST_TOKEN_SECONDS:
            return 400, b""
        token = secrets.token_urlsafe(32)
        self._tokens[instance.id, token] = time.monotonic() + int(wanted)
        return 200, token.encode()

    def _find(self, instance: Any, path: str) -> bytes | None:
        if path == "/latest/user-data":
            machine = self.hosting.running(instance.id)
            return (machine.directory / "user-data").read_bytes() if machine and instance.user_data else None
        dynamic = path.removeprefix("/latest/dynamic/instance-identity/")
        if dynamic != path:
            signed = document(instance)
            if dynamic == "document":
                return signed
            if dynamic == "signature":
                return self.signer.sign(signed)
            return self.signer.sign_pkcs7(signed) if dynamic == "rsa2048" else None
        items = self._items(instance)
        wanted = path.removeprefix("/latest/meta-data").strip("/")
        if wanted in items:
            return items[wanted].encode()
        below = {name.removeprefix(f"{wanted}/") for name in items if not wanted or name.startswith(f"{wanted}/")}
        names = {each.split("/")[0] + ("/" if "/" in each else "") for each in below}
        return "\n".join(sorted(names)).encode() if names and path.startswith("/latest/meta-data") else None

    def _items(self, instance: Any) -> dict[str, str]:
        items = {
            "ami-id": instance.image_id,
            "hostname": instance.private_dns_name,
            "instance-id": instance.id,
            "instance-life-cycle": instance.lifecycle or "on-demand",
            "instance-type": instance.instance_type,
            "local-hostname": instance.private_dns_name,
            "local-ipv4": instance.private_ip,
            "placement/availability-zone": instance.availability_zone,
            "placement/region": instance.region_name,
            "security-groups": "\n".join(each.name for each in instance.security_groups),
        }
        if instance.public_ip:
            items["public-ipv4"] = instance.public_ip
        if instance.metadata_options.instance_metadata_tags == "enabled":
            items |= {f"tags/instance/{name}": value for name, value in account.tags_of(instance).items()}
        if (role := profiles.role_of(instance)) is not None:
            items["iam/security-credentials"] = role.name
            items[f"iam/security-credentials/{role.name}"] = json.dumps(self._role_credentials(instance, role))
        items["events/maintenance/scheduled"] = json.dumps(self.cloud.lives.lives[instance.id].maintenance)
        return items | self._spot_items(instance)

    def _spot_items(self, instance: Any) -> dict[str, str]:
        life = self.cloud.lives.lives[instance.id]
        if life.spot_end is None:
            return {}
        end = datetime.now(UTC) + timedelta(seconds=life.spot_end - time.monotonic())
        shown = end.strftime(ISO)
        return {
            "spot/instance-action": json.dumps({"action": "terminate", "time": shown}),
            "spot/termination-time": shown,
        }

    def _role_credentials(self, instance: Any, role: Any) -> dict[str, str]:
        known = self._credentials.get(instance.id)
        if known is None:
            # The session of an instance's role has the instance's id for its name.
            session = sts_backends[account.ACCOUNT]["aws"].assume_role(
                instance.region_name, instance.id, role.arn, "", CREDENTIAL_SECONDS, ""
            )
            now = datetime.now(UTC)
            known = {
                "Code": "Success",
                "LastUpdated": now.strftime(ISO),
                "Type": "AWS-HMAC",
                "AccessKeyId": session.access_key_id,
                "SecretAccessKey": session.secret_access_key,
                "Token": session.session_token,
                "Expiration": (now + timedelta(seconds=CREDENTIAL_SECONDS)).strftime(ISO),
            }
            self._credentials[instance.id] = known
        return known
