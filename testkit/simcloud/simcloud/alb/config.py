"""Writes HAProxy's configuration for one load balancer: pure, of moto's listeners and rules.

The first rule by priority that matches sets a number, and everything else goes by that number, so that fixed responses,
redirects and forwards come in the order of their priorities. Targets are slots, filled over HAProxy's socket: only a change
of listeners, rules or groups makes another configuration. A new process begins with the targets of the moment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .. import account
from ..elb.listeners import condition_values

DRAWS = 1000
LEAST_SLOTS = 16
# Stands for the servers of a backend until `fill`.
SLOTS = "slots"


@dataclass(frozen=True)
class Place:
    """Where a load balancer's HAProxy has its socket and takes requests; targets see requests come from `source`."""

    socket: str
    addresses: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Backend:
    """A target group, with as many slots as its targets may need soon."""

    group: Any
    slots: int

    @property
    def name(self) -> str:
        """Returns HAProxy's name for it."""
        return backend_name(self.group.arn)


def backend_name(arn: str) -> str:
    """Returns HAProxy's name for a target group."""
    return "group_" + arn.rpartition("/")[2]


def slots_for(targets: int) -> int:
    """Returns how many slots a group with so many targets gets: powers of two, so that few changes reload."""
    return max(LEAST_SLOTS, 1 << targets.bit_length())


def render(balancer: Any, place: Place, backends: list[Backend], certificates: dict[str, str]) -> str:
    """Returns the configuration; `certificates` are files by ARN."""
    lines = [
        "global",
        f"  stats socket {place.socket} mode 600 level admin expose-fd listeners",
        "  maxconn 8000",
        "  nbthread 1",
        "defaults",
        "  mode http",
        "  timeout connect 10s",
        f"  timeout client {balancer.attrs.get('idle_timeout.timeout_seconds', '60')}s",
        f"  timeout server {balancer.attrs.get('idle_timeout.timeout_seconds', '60')}s",
        "  timeout http-request 60s",
        "  timeout tunnel 1h",
        "  option http-keep-alive",
        "  retries 0",
    ]
    for listener in balancer.listeners.values():
        lines += _frontend(listener, place, certificates)
    for backend in backends:
        lines += _backend(backend, place)
    return "\n".join(lines) + "\n"


def _frontend(listener: Any, place: Place, certificates: dict[str, str]) -> list[str]:
    secure = listener.protocol == "HTTPS"
    found = [certificates[arn] for arn in listener.certificates if arn in certificates] if secure else []
    tls = " ssl " + " ".join(f"crt {each}" for each in found) + " alpn h2,http/1.1" if secure else ""
    scheme = "https" if secure else "http"
    lines = [f"frontend listener_{listener.arn.rpartition('/')[2]}"]
    lines += [f"  bind {address}:{listener.port}{tls}" for address in place.addresses] if not secure or found else []
    lines += [
        f"  http-request set-var(txn.draw) rand({DRAWS})",
        "  http-request set-var-fmt(txn.query) ?%[query] if { query -m len gt 0 }",
        "  http-request set-var(txn.via) req.hdr(x-forwarded-for,-1)",
        "  http-request set-header X-Forwarded-For '%[var(txn.via)], %[src]' if { var(txn.via) -m found }",
        "  http-request set-header X-Forwarded-For %[src] if !{ var(txn.via) -m found }",
        f"  http-request set-header X-Forwarded-Proto {scheme}",
        f"  http-request set-header X-Forwarded-Port {listener.port}",
        "  http-request set-header X-Amzn-Trace-Id Root=1-%[date,hex]-%[rand(2147483647),hex]%[rand(2147483647),hex]",
    ]
    rules = sorted(listener.rules.values(), key=lambda each: (each.is_default, 0 if each.is_default else int(each.priority)))
    for number, rule in enumerate(rules):
        conditions = " ".join(_condition(each) for each in rule.conditions)
        lines.append(
            f"  http-request set-var(txn.rule) int({number}) if !{{ var(txn.rule) -m found }} {conditions}".rstrip()
        )
    for number, rule in enumerate(rules):
        lines += _action(number, rule, listener)
    return lines


def _action(number: int, rule: Any, listener: Any) -> list[str]:
    data = max((each.data for each in rule.actions), key=lambda each: int(each.get("Order") or 1))
    chosen = f"if {{ var(txn.rule) -m int {number} }}"
    if data["Type"] == "fixed-response":
        wish = data["FixedResponseConfig"]
        kind = wish.get("ContentType") or "text/plain"
        body = f" content-type {kind} string {_quote(wish['MessageBody'])}" if wish.get("MessageBody") else ""
        return [f"  http-request return status {wish['StatusCode']}{body} {chosen}"]
    if data["Type"] == "redirect":
        wish = data["RedirectConfig"]
        code = wish["StatusCode"].removeprefix("HTTP_")
        return [f"  http-request redirect code {code} location {_location(wish, listener)} {chosen}"]
    for each in rule.actions:
        weights = account.forwards(each)
        if weights:
            return _weighted(weights, chosen)
    return [f"  http-request return status 503 {chosen}"]


def _weighted(weights: dict[str, int], chosen: str) -> list[str]:
    total, upto, lines = sum(weights.values()), 0, []
    for arn, weight in weights.items():
        upto += weight
        if weight:
            below = round(DRAWS * upto / total)
            lines.append(f"  use_backend {backend_name(arn)} {chosen} {{ var(txn.draw) -m int lt {below} }}")
    return lines


def _location(wish: dict[str, str], listener: Any) -> str:
    known = {
        "#{protocol}": "https" if listener.protocol == "HTTPS" else "http",
        "#{host}": "%[req.hdr(host),field(1,:)]",
        "#{port}": str(listener.port),
        "#{path}": "%[path,regsub(^/,)]",
        "#{query}": "%[query]",
    }
    said = {"Protocol": "#{protocol}", "Host": "#{host}", "Port": "#{port}", "Path": "/#{path}"}
    said |= {name: value for name, value in wish.items() if value}
    text = f"{said['Protocol'].lower()}://{said['Host']}:{said['Port']}{said['Path']}"
    asked = said.get("Query", "#{query}")
    # No query at all is not an empty one.
    text += "%[var(txn.query)]" if asked == "#{query}" else f"?{asked}"
    for name, value in known.items():
        text = text.replace(name, value)
    return _quote(text)


def _condition(condition: dict[str, Any]) -> str:
    field, values = condition["Field"], condition_values(condition)
    if field == "host-header":
        return f"{{ req.hdr(host),field(1,:),lower {_patterns(value.lower() for value in values)} }}"
    if field == "path-pattern":
        return f"{{ path {_patterns(values)} }}"
    if field == "http-request-method":
        return f"{{ method {' '.join(_quote(value) for value in values)} }}"
    if field == "http-header":
        name = re.sub("[^A-Za-z0-9_-]", "", condition["HttpHeaderConfig"]["HttpHeaderName"])
        return f"{{ req.hdr({name}) -i {_patterns(values)} }}"
    if field == "source-ip":
        return f"{{ src {' '.join(_quote(value) for value in values)} }}"
    return f"{{ query -m reg -i {' '.join(_quote(_in_query(value)) for value in values)} }}"


def _in_query(value: dict[str, str]) -> str:
    key = _regex(value["Key"]) if value.get("Key") else "[^=&]*"
    return f"(^|&){key}={_regex(value['Value'])}(&|$)"


def _patterns(values: Iterable[str]) -> str:
    return "-m reg " + " ".join(_quote(f"^{_regex(value)}$") for value in values)


def _regex(pattern: str) -> str:
    return re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")


def _quote(text: str) -> str:
    """Quotes a word so that HAProxy expands nothing in it."""
    plain = "".join(letter if letter == "\n" or ord(letter) >= 32 else " " for letter in text)
    return "'" + plain.replace("'", r"'\''").replace("\n", r"'\n'") + "'"


def _backend(backend: Backend, place: Place) -> list[str]:
    attributes = backend.group.attributes
    least = attributes.get("load_balancing.algorithm.type") == "least_outstanding_requests"
    lines = [
        f"backend {backend.name}",
        f"  balance {'leastconn' if least else 'roundrobin'}",
        f"  source {place.source}",
    ]
    if attributes.get("stickiness.enabled") == "true":
        cookie, lasts = "AWSALB", attributes.get("stickiness.lb_cookie.duration_seconds", "86400")
        lines += [
            f"  cookie {cookie} insert indirect nocache dynamic maxlife {lasts}s",
            "  dynamic-cookie-key simcloud",
        ]
    return [*lines, f"  {SLOTS} {backend.name} {backend.slots}"]


def fill(config: str, servers: dict[str, list[tuple[str, str]]]) -> str:
    """Returns a configuration with the servers that its backends begin with, each with an address and `ready` or `maint`."""
    lines = []
    for line in config.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word != SLOTS:
            lines.append(line)
            continue
        name, _, slots = rest.partition(" ")
        known = servers.get(name, [])
        for number, (address, state) in enumerate(known, 1):
            lines.append(f"  server target{number} {address}{' disabled' if state == 'maint' else ''}")
        if len(known) < int(slots):
            lines.append(f"  server-template target {len(known) + 1}-{slots} 127.0.0.1:9 disabled")
    return "\n".join(lines) + "\n"
