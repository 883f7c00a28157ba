"""Measure a one-file edit in a large image: pulled from the registry, loaded, and by kind's loader.

python -m benchmarks.load [--rounds 5] [--keep] [--print-only]

The edited file is in the last layer; below it is one of 200 MB that nothing can compress.
"""

from __future__ import annotations

import argparse
import os
import shutil
import uuid
from pathlib import Path

import yaml
from benchmarks.loop.bed import Workbench
from benchmarks.loop.machine import describe
from benchmarks.loop.measure import Case, Timing, interleave
from benchmarks.loop.table import rows, write

MEGABYTES = 200
PARTS = (
    ("change_detection", "plan"),
    ("builds_total", "build and push"),
    ("image_push", "tags"),
    ("image_load", "load"),
    ("helm_upgrade", "release"),
    ("readiness_gate", "gate"),
)
WAYS = ("registry", "load", "kind load")


class LoadBench(Workbench):
    """hello with a large layer, three times on one cluster: for each way an image of its own."""

    def __enter__(self) -> LoadBench:
        self.loaded, self.bare = self.root / "load", self.root / "kind-load"
        try:
            for directory in (self.project, self.loaded, self.bare):
                self._prepare(directory)
            self.deploy()
            self._find_cluster()
            self.deploy_loaded()
            self.kind_load()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove([f"{self.registry()}/{name}/web" for name in ("hello", "load")] + ["kind-load"])

    def _prepare(self, directory: Path) -> None:
        self.copy(directory)
        path = directory / "Dockerfile"
        large = f"RUN head -c {MEGABYTES}000000 /dev/urandom > /large # {directory.name}"
        text = path.read_text().replace("\n\nFROM scratch\n", f"\n{large}\n\nFROM scratch\n")
        text = text.replace("COPY site/", "COPY --from=busybox /large /large\nCOPY site/")
        assert text.count("/large") == 3, text
        path.write_text(text)

    def _find_cluster(self) -> None:
        """Have the second project find the first one's cluster, as somebody else's."""
        path = self.loaded / "localloop.yml"
        config = yaml.safe_load(path.read_text().replace("hello", "load"))
        config["cluster"] = {"context": f"kind-{self._name}", "kubeconfig": self.kubeconfig}
        config["registry"] = {"route": "load"}
        path.write_text(yaml.safe_dump(config))

    def edit(self, directory: Path) -> None:
        (directory / "site" / "index.html").write_text(f"<h1>Edit {uuid.uuid4().hex}</h1>\n")

    # -- the ways

    def deploy_loaded(self) -> None:
        self.run([*self.localloop, "deploy", "--project", str(self.loaded)])

    def kind_load(self) -> None:
        """Build and load; nothing is released."""
        argv = ["docker", "buildx", "build", "--provenance=false", "--load", "--tag", "kind-load:1"]
        self.run([*argv, "."], cwd=self.bare)
        self.run(["kind", "load", "docker-image", "kind-load:1", "--name", self._name])

    def spans_of(self, directory: Path) -> dict[str, float]:
        self.project, kept = directory, self.project
        try:
            return self.last_spans()
        finally:
            self.project = kept


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.load", description=__doc__)
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 5))
    parser.add_argument("--keep", action="store_true", default=bool(os.environ.get("KEEP")))
    parser.add_argument("--print-only", action="store_true", help="leave the document alone")
    options = parser.parse_args()
    if shutil.which("kind") is None:
        raise SystemExit("there is no kind on PATH: make tools")
    with LoadBench("bench-load", "hello", keep=options.keep) as bench:
        where = describe(bench)
        interleave(cases(bench), 1)
        timings = interleave(cases(bench), options.rounds)
    text = f"Medians of {options.rounds} interleaved rounds; {where}.\n\n{table(timings)}"
    print(text)
    if not options.print_only:
        write("bench-load", text)


def cases(bench: LoadBench) -> list[Case]:
    """Each edit is new to every build and to every node."""
    return [
        Case(
            WAYS[0],
            bench.deploy,
            lambda: bench.edit(bench.project),
            lambda: bench.spans_of(bench.project),
        ),
        Case(
            WAYS[1],
            bench.deploy_loaded,
            lambda: bench.edit(bench.loaded),
            lambda: bench.spans_of(bench.loaded),
        ),
        Case(WAYS[2], bench.kind_load, lambda: bench.edit(bench.bare)),
    ]


def table(timings: dict[str, Timing]) -> str:
    head = [
        "seconds",
        "`localloop deploy`, pulled from the registry",
        "`localloop deploy`, loaded",
        "`docker build` and `kind load docker-image`, nothing released",
    ]
    spread = {way: timings[way].spread() for way in WAYS}
    body = [["in all", *(f"{spread[way][1]:.2f}" for way in WAYS)]]
    body.append(["range", *(f"{spread[way][0]:.2f} to {spread[way][2]:.2f}" for way in WAYS)])
    for span, text in PARTS:
        values = [timings[way].detail(span) for way in WAYS]
        body.append([text, *(f"{value:.2f}" if value >= 0.005 else "" for value in values)])
    return rows(head, body)


if __name__ == "__main__":
    main()
