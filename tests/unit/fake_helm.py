"""A fake helm: a program that puts what it is to have made into a fake API server."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fake_api import FakeApi, path_of

from localloop.helm.releases import PROJECT_LABEL, TRANSACTION_LABEL

Object = dict[str, Any]

_PROGRAM = """#!{python}
import json, pathlib, sys, urllib.request
if "version" in sys.argv:
    print("v4.1.4")
    raise SystemExit
here = pathlib.Path(__file__).parent
calls = here / "calls.jsonl"
number = len(calls.read_text().splitlines()) if calls.exists() else 0
given = sys.stdin.read()
with calls.open("a") as file:
    file.write(json.dumps([sys.argv[1:], given]) + "\\n")
turns = json.loads((here / "turns.json").read_text())
turn = turns[min(number, len(turns) - 1)]
for path, body in turn["puts"]:
    urllib.request.urlopen(
        urllib.request.Request("{server}" + path, json.dumps(body).encode(), method="POST")
    ).read()
sys.stderr.write(turn["stderr"])
raise SystemExit(turn["code"])
"""


class FakeHelm:
    """``turns``: per call the objects that it makes, its exit code and what it says."""

    def __init__(self, directory: Path, api: FakeApi) -> None:
        self._directory = directory
        directory.mkdir()
        host, port = api.server.server_address[:2]
        program = directory / "helm"
        program.write_text(_PROGRAM.format(python=sys.executable, server=f"http://{host!s}:{port}"))
        program.chmod(0o755)
        self._turns: list[Object] = []

    def turn(self, *objects: Object, code: int = 0, stderr: str = "") -> None:
        """One more call of helm, and what comes of it."""
        puts = [[path_of(each).rpartition("/")[0], each] for each in objects]
        self._turns.append({"puts": puts, "code": code, "stderr": stderr})
        (self._directory / "turns.json").write_text(json.dumps(self._turns))

    def calls(self) -> list[tuple[list[str], str]]:
        """The arguments and the standard input of each call, ``version`` left out."""
        path = self._directory / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(found[0], found[1]) for found in map(json.loads, lines)]


def helm_secret(
    name: str,
    revision: int,
    *objects: Object,
    status: str = "deployed",
    transaction: str = "tx-1",
    values: Object | None = None,
    hooks: Sequence[Object] = (),
) -> Object:
    """Helm's Secret of a revision in namespace ``app``, whose manifest has these objects.

    ``hooks`` as Helm stores them, each with its manifest as a text.
    """
    manifest = "".join(f"---\n{json.dumps(each)}\n" for each in objects)
    content = {
        "manifest": manifest,
        "config": values or {},
        "info": {"status": status},
        "hooks": list(hooks),
    }
    inner = base64.b64encode(json.dumps(content).encode())
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"sh.helm.release.v1.{name}.v{revision}",
            "namespace": "app",
            "uid": f"uid-{name}-{revision}",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {
                "owner": "helm",
                "name": name,
                "version": str(revision),
                "status": status,
                PROJECT_LABEL: "demo",
                TRANSACTION_LABEL: transaction,
            },
        },
        "data": {"release": base64.b64encode(inner).decode()},
    }
