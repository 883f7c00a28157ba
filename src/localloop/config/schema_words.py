"""Patterns and recurring shapes of the schema of ``localloop.yml``."""

from __future__ import annotations

from typing import Any

NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
RELEASE = r"^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$"
PROFILE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
ARG = r"^[A-Za-z_][A-Za-z0-9_]*$"
ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
CACHE = r"^type=[a-z0-9]+(,[a-z][a-z-]*=[^\u0000-\u001f\u007f,\"]+)*$"
PATH = r"^[^\u0000-\u001f\u007f]+$"
DEST = r"^/[^\u0000-\u001f\u007f]*[^/\u0000-\u001f\u007f]$"
MODE = r"^0?[0-7]{3}$"
OWNER = r"^[0-9]{1,10}(:[0-9]{1,10})?$"
SELECTOR = r"^[A-Za-z0-9./_=!,() -]+$"
PLATFORM = r"^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9_.]+)?$"
STEP = r"^[a-z0-9][a-z0-9_-]{0,62}$"
SERVICE = (
    r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
    r":[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$"
)
LOOPBACK = r"^http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?(/[!-~]*)?$"
SERVER = r"^https?://[!-?A-~]+$"
URL_PATH = r"^/[!-~]*$"
CHART = r"^(oci://[a-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._-]+)+|[A-Za-z0-9][A-Za-z0-9._-]*)$"
REPO = r"^https?://[!-~]+$"
VERSION = r"^v?[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$"
KEY = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"
_ADDRESS = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"
PORT = rf"^({_ADDRESS}:([0-9]{{0,5}}:)?|[0-9]{{1,5}}:)?[0-9]{{1,5}}(/(tcp|udp|sctp))?$"
MOUNT = r"^[^:\u0000-\u001f\u007f]+:[^:\u0000-\u001f\u007f]+(:ro)?$"
MINOR = r"^1\.[0-9]{1,2}$"
REFERENCE = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$"
REGISTRY_HOST = r"^(localhost|127\.0\.0\.1):[0-9]{1,5}$"
CONTEXT = r"^[^\u0000-\u001f\u007f-][^\u0000-\u001f\u007f]*$"

_ID_WORDS = "1 to 63 letters, digits, '.', '_' and '-', a letter or digit first"
# Each pattern in words, for the messages about what does not match.
WORDS = {
    NAME: "1 to 63 lower-case letters, digits and '-', a letter or digit first and last",
    RELEASE: "1 to 53 lower-case letters, digits and '-', a letter or digit first and last",
    PROFILE: _ID_WORDS,
    ARG: "letters, digits and '_', no digit first",
    ID: _ID_WORDS,
    CACHE: "type=KIND with options as buildx takes them, like type=registry,ref=HOST/NAME",
    PATH: "a path without control characters",
    DEST: "an absolute path without control characters or a slash at its end",
    OWNER: "a numeric UID or UID:GID, like 1000:1000",
    MODE: "three octal digits, like 0755",
    SELECTOR: "a label selector, like app=web,tier!=db",
    PLATFORM: "OS/ARCHITECTURE, like linux/arm64",
    STEP: "1 to 63 lower-case letters, digits, '-' and '_', a letter or digit first",
    SERVICE: "NAMESPACE/NAME:PORT, like shop/web:80",
    LOOPBACK: "an http:// URL on 127.0.0.1, localhost or [::1], like http://localhost:8080/ready",
    SERVER: "an http:// or https:// URL without '@', like https://10.1.2.3:6443",
    URL_PATH: "a path that begins with '/', without blanks",
    CHART: "oci://HOST/PATH, or the chart's name in `repo`",
    REPO: "an http:// or https:// URL",
    VERSION: "an exact version, like 1.2.3",
    KEY: "a dotted path in the values, like auth.password",
    PORT: "[ADDRESS:][HOST:]NODE[/PROTOCOL], like 8080:30080",
    MOUNT: "HOST:NODE[:ro], like ./data:/data",
    MINOR: "a minor version, like 1.37",
    REFERENCE: "an image reference, like kindest/node:v1.37.0",
    REGISTRY_HOST: "localhost:PORT or 127.0.0.1:PORT",
    CONTEXT: "a name without control characters that does not begin with '-'",
}


def obj(properties: dict[str, Any], required: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    """An object with these keys and no others."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **more,
    }
    if required:
        schema["required"] = list(required)
    return schema


def one_of(keys: tuple[str, ...]) -> dict[str, Any]:
    """The condition that an object has exactly one of these keys."""
    return {"oneOf": [{"required": [key]} for key in keys]}


def text(description: str, pattern: str | None = None, **more: Any) -> dict[str, Any]:
    """Text that matches ``pattern``, or any that is not empty."""
    schema = {"type": "string", "description": description, **more}
    if pattern:
        schema["pattern"] = pattern
    else:
        schema["minLength"] = 1
    return schema


def mapping(description: str, keys: str, values: dict[str, Any]) -> dict[str, Any]:
    """An object whose keys match a pattern and whose values a schema; empty by default."""
    return {
        "type": "object",
        "description": description,
        "propertyNames": {"pattern": keys},
        "additionalProperties": values,
        "default": {},
    }


def paths(description: str, **more: Any) -> dict[str, Any]:
    """A list of paths."""
    return {
        "type": "array",
        "description": description,
        "items": {"type": "string", "pattern": PATH},
        **more,
    }


def keys(description: str) -> dict[str, Any]:
    """A list of dotted paths in values, none of them twice; empty by default."""
    return {
        "type": "array",
        "description": description,
        "items": {"type": "string", "pattern": KEY},
        "uniqueItems": True,
        "default": [],
    }


def seconds(description: str, **more: Any) -> dict[str, Any]:
    """A number of seconds, at most a day."""
    return {"type": "number", "description": description, "maximum": 86400, **more}


def caches(description: str) -> dict[str, Any]:
    """A list of BuildKit caches; empty by default."""
    items = {"type": "string", "pattern": CACHE}
    return {"type": "array", "description": description, "items": items, "default": []}
