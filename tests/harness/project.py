"""A copy of an example under its own name, and runs of the command on it."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from .outside import Cluster, Outside
from .run import Run, Running

REPOSITORY = Path(__file__).resolve().parents[2]
HELLO = REPOSITORY / "examples" / "hello"
SPAWN_LOG = Path(__file__).parent / "spawn_log"


class Project:
    """The project NAME, released in namespace NAME: hello, or the example of a subclass."""

    example = HELLO
    view: type[Outside] = Outside

    def __init__(self, root: Path, name: str, cluster: Cluster) -> None:
        self.root = root
        self.name = name
        self.cluster = cluster
        self.outside = self.view(cluster, name)
        self._started: list[Running] = []
        shutil.copytree(self.example, root, ignore=shutil.ignore_patterns(".cache", "target"))
        self._take_name()

    def _take_name(self) -> None:
        text = self.read("localloop.yml")
        for key in ("project", "namespace"):
            old = f"{key}: {self.example.name}\n"
            assert old in text
            text = text.replace(old, f"{key}: {self.name}\n")
        self.write("localloop.yml", text)

    # -- edits

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def write(self, path: str, text: str) -> None:
        (self.root / path).write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that has to be there exactly once."""
        text = self.read(path)
        assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
        self.write(path, text.replace(old, new))

    def append(self, path: str, text: str) -> None:
        self.write(path, self.read(path) + text)

    def set_page(self, words: str) -> None:
        self.write("site/index.html", f"<!doctype html>\n<title>hello</title>\n<h1>{words}</h1>\n")

    def set_readiness_timeout(self, seconds: int) -> None:
        self.append("localloop.yml", f"\nreadiness: {{timeout: {seconds}}}\n")

    def set_entrypoint(self, script: str) -> None:
        """Make the container run a shell script."""
        text = self.read("Dockerfile")
        line = f'ENTRYPOINT ["/bin/busybox", "sh", "-c", "{script}"]'
        self.write("Dockerfile", re.sub(r"^ENTRYPOINT .*$", line, text, flags=re.MULTILINE))

    def add_build_step(self, command: str) -> None:
        """Add a RUN to the first stage that no earlier build can have cached."""
        step = f"RUN {command} # {self.root}"
        self.edit("Dockerfile", "\nFROM scratch\n", f"\n{step}\nFROM scratch\n")

    def add_node_file(self, text: str, *, mode: str = "rolling-delete", timeout: int = 60) -> None:
        """Add the node file ``tool``: one small file that the pods of hello count as using."""
        (self.root / "tool").mkdir()
        self.write("tool/text", text)
        self.write("Dockerfile.tool", "FROM scratch\nCOPY tool/text /out/tool\n")
        self.append(
            "localloop.yml",
            f"""
node_files:
  tool:
    dockerfile: Dockerfile.tool
    file: out/tool
    dest: {self.node_path}
    owner: "7:8"
    mode: "0640"
    reconcile: {{namespace: {self.name}, selector: app=hello, mode: {mode}, timeout: {timeout}}}
""",
        )

    @property
    def node_path(self) -> str:
        """The path of the node file ``tool`` on the node."""
        return f"/opt/{self.name}/bin/tool"

    def set_slow_start(self, seconds: int) -> None:
        """Delay the first readiness probe of each new pod, so that the gate lasts that long."""
        self.edit(
            "chart/templates/deployment.yaml",
            "            periodSeconds: 1\n",
            f"            periodSeconds: 1\n            initialDelaySeconds: {seconds}\n",
        )

    # -- the command

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> Running:
        argv = [sys.executable, "-m", "localloop", *words, "--project", str(self.root)]
        return self._start(argv, env={**self.cluster.env(), **(env or {})}, cwd=self.root)

    def start_playbook(self, *words: str, playbook: str = "deploy-fast.yml") -> Running:
        """Run ``ansible-playbook`` without the command, as from a checkout."""
        ansible = str(Path(sys.executable).parent / "ansible-playbook")
        env = {**self.cluster.env(), "LOCALLOOP_PROJECT": str(self.root), "ANSIBLE_NOCOLOR": "1"}
        return self._start([ansible, f"playbooks/{playbook}", *words], env=env, cwd=REPOSITORY)

    def _start(self, argv: list[str], *, env: Mapping[str, str], cwd: Path) -> Running:
        self._started.append(Running(argv, env=env, cwd=cwd, project=self.root))
        return self._started[-1]

    def end_runs(self) -> None:
        """Kill the runs that a failed test has left."""
        for run in self._started:
            run.kill_tree()

    def localloop(
        self, *words: str, code: int | None = 0, env: Mapping[str, str] | None = None
    ) -> Run:
        """Run the command; it has to exit with ``code``."""
        run = self.start(*words, env=env).end()
        assert code is None or run.code == code, f"{words}: exit {run.code}\n{run.text}"
        return run

    def deploy(
        self, *words: str, code: int | None = 0, env: Mapping[str, str] | None = None
    ) -> Run:
        return self.localloop("deploy", *words, code=code, env=env)

    def traced_deploy(self, log: Path) -> tuple[Run, str]:
        """A deploy, and every process that the command itself started."""
        log.write_text("")
        run = self.deploy(env={"PYTHONPATH": str(SPAWN_LOG), "E2E_SPAWN_LOG": str(log)})
        return run, log.read_text()

    def playbook(self, *words: str, playbook: str = "deploy-fast.yml", code: int | None = 0) -> Run:
        """Run the playbook; it has to exit with ``code``."""
        run = self.start_playbook(*words, playbook=playbook).end()
        assert code is None or run.code == code, f"{words}: exit {run.code}\n{run.text}"
        return run

    def reports(self) -> set[str]:
        directory = self.root / ".cache" / "deploy-reports"
        return {path.name for path in directory.glob("*.json")} if directory.is_dir() else set()
