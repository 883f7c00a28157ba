"""A copy of examples/relay, and both of its parts as seen from outside."""

from __future__ import annotations

import json
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .outside import Outside, docker
from .project import REPOSITORY, Project

NODE_PATH = "/opt/relay/bin/supervisor"
BUILT = ("gateway", "sandbox", "supervisor")


@dataclass(frozen=True)
class RelaySeen:
    """The contents of the cluster, its node and the registry at one moment.

    ``gateway`` is its answer to /version; ``sandboxes`` maps pod uids to that of their supervisor;
    ``file`` is the inode and the sha256 on the node; ``tags`` are those of each repository.
    """

    page: str
    gateway: dict[str, str]
    gateway_pods: frozenset[str]
    sandboxes: dict[str, dict[str, str]]
    file: tuple[str, str]
    revisions: tuple[tuple[int, str], ...]
    tags: dict[str, frozenset[str]]

    @property
    def revision(self) -> int:
        return self.revisions[-1][0] if self.revisions else 0

    @property
    def sandbox_pods(self) -> frozenset[str]:
        return frozenset(self.sandboxes)

    @property
    def greetings(self) -> set[tuple[str, str]]:
        """What the supervisors in the sandboxes answer: their own text and core's."""
        return {(found["says"], found["core_says"]) for found in self.sandboxes.values()}

    def builds(self, component: str) -> frozenset[str]:
        """The builds that were pushed, by the ids of their transactions."""
        return frozenset(tag for tag in self.tags[component] if tag.startswith("tx-"))


class RelayOutside(Outside):
    """The release ``relay`` and everything that belongs to it."""

    release = "relay"

    def gateway(self) -> dict[str, str]:
        return json.loads(self.get_raw("services/relay:http/proxy/version") or "{}")

    def pods_of(self, app: str) -> list[dict[str, Any]]:
        """The pods that are not being deleted."""
        pods = self.cluster.items("-n", self.name, "pods", "-l", f"app={app}")
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def sandboxes(self) -> dict[str, dict[str, str]]:
        return {
            pod["metadata"]["uid"]: json.loads(
                self.get_raw(f"pods/{pod['metadata']['name']}:8081/proxy/version") or "{}"
            )
            for pod in self.pods_of("sandbox")
        }

    def on_node(self, *words: str) -> str:
        return docker("exec", self.cluster.node, *words)

    def file(self) -> tuple[str, str]:
        return (
            self.on_node("stat", "--format=%i", NODE_PATH),
            self.on_node("sha256sum", NODE_PATH).split()[0],
        )

    def see(self) -> RelaySeen:  # type: ignore[override]
        return RelaySeen(
            page=self.page(),
            gateway=self.gateway(),
            gateway_pods=frozenset(pod["metadata"]["uid"] for pod in self.pods_of("gateway")),
            sandboxes=self.sandboxes(),
            file=self.file(),
            revisions=tuple((entry["revision"], entry["status"]) for entry in self.history()),
            tags={name: self.tags(name) for name in BUILT},
        )

    @contextmanager
    def watching_sandboxes(self) -> Iterator[Availability]:
        """Watch the sandboxes during the block, as ``kubectl get pods -w`` does."""
        path = f"/api/v1/namespaces/{self.name}/pods?watch=1&labelSelector=app%3Dsandbox"
        process = subprocess.Popen(
            ["kubectl", "--kubeconfig", str(self.cluster.kubeconfig), "get", "--raw", path],
            stdout=subprocess.PIPE,
            text=True,
        )
        seen = Availability(len(self.pods_of("sandbox")))
        reader = threading.Thread(target=seen.follow, args=(process.stdout,), daemon=True)
        reader.start()
        assert seen.complete.wait(30), "the watch did not begin"
        try:
            yield seen
        finally:
            process.terminate()
            process.wait()
            reader.join(10)


@dataclass
class Availability:
    """How many pods were ready and not being deleted, event by event."""

    wanted: int
    counts: list[int] = field(default_factory=list)
    complete: threading.Event = field(default_factory=threading.Event)
    _available: set[str] = field(default_factory=set)

    def follow(self, lines: Any) -> None:
        for line in lines:
            event = json.loads(line)
            pod = event["object"]
            uid = pod["metadata"]["uid"]
            ready = any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in pod["status"].get("conditions", ())
            )
            gone = event["type"] == "DELETED" or "deletionTimestamp" in pod["metadata"]
            (self._available.add if ready and not gone else self._available.discard)(uid)
            if self.complete.is_set():
                self.counts.append(len(self._available))
            elif len(self._available) == self.wanted:
                self.complete.set()


class Relay(Project):
    """The project NAME, released in namespace NAME; edits change what each part answers."""

    example = REPOSITORY / "examples" / "relay"
    view = RelayOutside
    outside: RelayOutside

    def _take_name(self) -> None:
        """Also without a name, port and mount of its own for the cluster, which the tests share."""
        super()._take_name()
        for line in (
            "  name: relay\n",
            '  ports: ["30080"]\n',
            '  mounts: ["deploy/cluster:/etc/relay:ro"]\n',
        ):
            self.edit("localloop.yml", line, "")
        self.edit("deploy/chart/values.yaml", "nodePort: 30080", "nodePort: null")

    def say(self, crate: str, words: str) -> str:
        """Edit a crate's greeting (``gateway``, ``supervisor`` or ``core``) and return it.

        A number makes it new to every build, because BuildKit's cache outlives the tests.
        """
        words = f"{words} {uuid.uuid4().hex[:8]}"
        path = f"crates/{crate}/src/{'lib' if crate == 'core' else 'main'}.rs"
        lines = self.read(path).splitlines(keepends=True)
        found = [n for n, line in enumerate(lines) if "const GREETING: &str = " in line]
        assert len(found) == 1
        head = lines[found[0]].partition(" = ")[0]
        lines[found[0]] = f'{head} = "{words}";\n'
        self.write(path, "".join(lines))
        return words

    def edit_chart(self, seconds: int) -> None:
        """Edit a part of the chart that only concerns the gateway's pods."""
        path = "deploy/chart/templates/gateway.yaml"
        key = "terminationGracePeriodSeconds: "
        head, _, tail = self.read(path).partition(key)
        assert tail
        self.write(path, f"{head}{key}{seconds}{tail[tail.index(chr(10)) :]}")

    def compiled(self) -> list[str]:
        """The crates that cargo compiled in the last build, from BuildKit's output."""
        log = self.read(".cache/localloop/build/bake.log")
        words = [line.split() for line in log.splitlines() if " Compiling relay-" in line]
        return sorted(found[found.index("Compiling") + 1].removeprefix("relay-") for found in words)
