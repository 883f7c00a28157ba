"""The test bed: a copy of an example, on its own cluster."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


class Workbench:
    """A copy of an example in its own directory, deployed to the cluster ``name``."""

    def __init__(self, name: str, example: str, *, keep: bool) -> None:
        self._name = name
        self._keep = keep
        self.root = Path(tempfile.gettempdir()) / f"localloop-{name}-{os.getuid()}"
        self.project = self.root / example
        self.environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith("DEPLOY_")},
            "CLUSTER_NAME": name,
            "XDG_STATE_HOME": str(self.root / "state"),
            "LOCALLOOP_PROJECT": str(self.project),
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
        }

    def copy(self, directory: Path) -> None:
        """The example in the repository."""
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(
            REPOSITORY / "examples" / self.project.name,
            directory,
            ignore=shutil.ignore_patterns(".cache"),
        )

    def remove(self, images: list[str]) -> None:
        """Remove the cluster, the copies and the pushed images, unless they are kept."""
        if self._keep:
            return
        # The cluster has releases that are not localloop's, so --force is needed.
        self.run([*self.localloop, "down", "--cluster", "--force"])
        # Docker's own builder leaves each image that it pushed in Docker's store.
        for name in images:
            argv = ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"]
            tags = self.run([*argv, name]).split()
            if tags:
                self.run(["docker", "rmi", "--force", *tags])
        shutil.rmtree(self.root)

    @property
    def localloop(self) -> list[str]:
        return [sys.executable, "-m", "localloop"]

    def registry(self) -> str:
        """Host and port."""
        container = f"localloop-{self._name}-registry"
        port = self.run(["docker", "port", container, "5000/tcp"]).rpartition(":")[2]
        return f"127.0.0.1:{port.strip()}"

    def run(self, argv: list[str], *, cwd: Path | None = None) -> str:
        """Run a command; returns its standard output. A failure ends the benchmark."""
        done = subprocess.run(
            argv,
            check=False,
            cwd=cwd or self.project,
            env=self.environ,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}\n{done.stderr}")
        return done.stdout

    def deploy(self) -> None:
        self.run([*self.localloop, "deploy"])

    @property
    def kubeconfig(self) -> str:
        return str(self.root / "state" / "localloop" / "clusters" / self._name / "kubeconfig")

    def last_spans(self) -> dict[str, float]:
        """Seconds by name, from the newest report."""
        reports = (self.project / ".cache" / "deploy-reports").glob("*.json")
        newest = max(reports, key=lambda path: path.stat().st_mtime_ns)
        durations = json.loads(newest.read_text())["durations_ms"]
        return {name: value / 1000 for name, value in durations.items()}


class Bed(Workbench):
    """hello, and the same chart and Dockerfile, built and released by hand."""

    def __init__(self, *, keep: bool) -> None:
        super().__init__("bench", "hello", keep=keep)
        self._edits = count(1)
        self.bare = self.root / "bare"
        self.image = ""
        self.steps: dict[str, float] = {}

    def __enter__(self) -> Bed:
        for directory in (self.project, self.bare):
            self.copy(directory)
        try:
            self.deploy()
            self.bare_edit()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove([f"{self.registry()}/{name}" for name in ("hello/web", "bare/web")])

    def edit(self, project: Path) -> None:
        """Change one line of the page."""
        page = project / "site" / "index.html"
        lines = page.read_text().splitlines()
        lines[-1] = f"<h1>Edit {next(self._edits)} of process {os.getpid()}</h1>"
        page.write_text("\n".join(lines) + "\n")

    # -- the commands that are compared

    def playbook(self) -> None:
        playbook = REPOSITORY / "playbooks" / "deploy-fast.yml"
        self.run([str(BIN / "ansible-playbook"), str(playbook)])

    def bare_release(self) -> None:
        """Helm and the wait for the rollout, with the existing image."""
        kubeconfig = ["--kubeconfig", self.kubeconfig]
        argv = ["helm", "upgrade", "--install", "bare", "chart", "--namespace", "bare"]
        argv += ["--create-namespace", "--set", f"image={self.image}", *kubeconfig]
        self._step("helm_upgrade", argv)
        argv = ["kubectl", "--namespace", "bare", *kubeconfig]
        self._step("readiness_gate", [*argv, "rollout", "status", "deployment/bare"])

    def bare_edit(self) -> None:
        """Build and push with one command, release by digest, and wait."""
        metadata = self.root / "metadata.json"
        tag = f"{self.registry()}/bare/web:edit-{next(self._edits)}"
        argv = ["docker", "buildx", "build", "--provenance=false", "--sbom=false", "--push"]
        self._step("builds_total", [*argv, "--metadata-file", str(metadata), "--tag", tag, "."])
        digest = json.loads(metadata.read_text())["containerimage.digest"]
        self.image = f"{tag}@{digest}"
        self.bare_release()

    def _step(self, name: str, argv: list[str]) -> None:
        started = time.perf_counter()
        self.run(argv, cwd=self.bare)
        self.steps[name] = time.perf_counter() - started
