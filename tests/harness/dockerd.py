"""A private Docker daemon with its containerd, for tests; the machine's is never touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .outside import eventually, output

DOCKER0 = Path("/sys/class/net/docker0")


class PrivateDockerd:
    """dockerd and containerd on sockets, data and pid files below one short directory.

    Its containers share a bridge of their own, and the firewall is left as it is: dockerd with
    ``--bridge=none`` would remove the ``docker0`` of the machine's daemon.
    """

    def __init__(
        self, features: Mapping[str, bool] | None = None, *, data_megabytes: int = 0
    ) -> None:
        """``data_megabytes``: the size of a separate file system for all its data."""
        self.root = Path(tempfile.mkdtemp(prefix="ll-dockerd-"))  # a socket's path is short
        self.host = f"unix://{self.root}/docker.sock"
        self._docker0 = DOCKER0.exists()
        self.bridge = f"ll{self.root.name[-8:]}"
        output(["ip", "link", "add", self.bridge, "type", "bridge"])
        output(["ip", "address", "add", "10.213.77.1/24", "dev", self.bridge])
        if data_megabytes:
            data = self.root / "data"
            data.mkdir()
            output(["mount", "-t", "tmpfs", "-o", f"size={data_megabytes}m", "tmpfs", str(data)])
        (self.root / "daemon.json").write_text(json.dumps({"features": dict(features or {})}))
        (self.root / "containerd.toml").write_text(
            'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        )
        self._containerd = self._run(
            "containerd", "--config", f"{self.root}/containerd.toml",
            "--root", f"{self.root}/containerd", "--state", f"{self.root}/containerd-state",
            "--address", f"{self.root}/containerd.sock",
        )  # fmt: skip
        eventually("containerd", (self.root / "containerd.sock").exists)
        self._dockerd = self._start()

    def _run(self, *argv: str) -> subprocess.Popen[bytes]:
        with (self.root / f"{argv[0]}.log").open("ab") as log:
            return subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)

    def _start(self) -> subprocess.Popen[bytes]:
        process = self._run(
            "dockerd", "--config-file", f"{self.root}/daemon.json", "--host", self.host,
            "--data-root", f"{self.root}/data", "--exec-root", f"{self.root}/exec",
            "--pidfile", f"{self.root}/docker.pid", "--containerd", f"{self.root}/containerd.sock",
            f"--bridge={self.bridge}", "--iptables=false", "--ip6tables=false",
        )  # fmt: skip
        eventually("dockerd", lambda: self._answers(process))
        return process

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, (self.root / "dockerd.log").read_text()[-2000:]
        argv = ["docker", "--host", self.host, "version"]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    def docker(self, *words: str) -> str:
        return output(["docker", "--host", self.host, *words]).strip()

    def load(self, *references: str) -> None:
        """Copy images from the machine's own daemon."""
        archive = self.root / "images.tar"
        output(["docker", "save", "--output", str(archive), *references])
        self.docker("load", "--input", str(archive))
        archive.unlink()

    def kill(self) -> None:
        """Kill dockerd, as in a crash."""
        self._dockerd.kill()
        self._dockerd.wait()
        (self.root / "docker.pid").unlink(missing_ok=True)

    def restart(self, *, down: float = 0.0) -> None:
        """Kill dockerd, as in a crash, and start it again after ``down`` seconds."""
        self.kill()
        time.sleep(down)
        self._dockerd = self._start()

    def close(self) -> None:
        for process in (self._dockerd, self._containerd):
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        output(["ip", "link", "delete", self.bridge])
        with open("/proc/self/mounts") as mounts:  # noqa: PTH123
            points = [
                line.split()[1] for line in mounts if line.split()[1].startswith(f"{self.root}/")
            ]
        for point in reversed(points):
            subprocess.run(["umount", "--lazy", point], check=True)
        shutil.rmtree(self.root)
        assert self._docker0 == DOCKER0.exists(), "the machine's own bridge was touched"

    def __enter__(self) -> PrivateDockerd:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    @property
    def environ(self) -> dict[str, str]:
        """The environment for commands that use this daemon."""
        return {**os.environ, "DOCKER_HOST": self.host}
