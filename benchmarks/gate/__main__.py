"""Measure the time from the end of the gate's window to its verdict.

python -m benchmarks.gate [--rounds 10] [--keep] [--print-only]

Ends with 1 if a median is above 100 ms.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks.loop.bed import Workbench
from benchmarks.loop.machine import describe
from benchmarks.loop.table import rows, write

from localloop.kube.client import Kube
from localloop.kube.kubeconfig import load_kubeconfig
from localloop.kube.objects import ObjectRef
from localloop.readiness.wait import run_gate

NAMESPACE = "hello"
SCOPE = [
    ObjectRef("apps/v1", "Deployment", NAMESPACE, "hello"),
    ObjectRef("v1", "Service", NAMESPACE, "hello"),
]
# What the gate looks at for these two.
WATCHED = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
]
WINDOWS = (0.0, 1.0, 2.0)
BOUND_MS = 100


class Changes(threading.Thread):
    """When a separate observer saw each change of a collection."""

    def __init__(self, kube: Kube, api_version: str, kind: str) -> None:
        super().__init__(daemon=True)
        _, version = kube.list(api_version, kind, NAMESPACE)
        self._stream = kube.watch(api_version, kind, NAMESPACE, version, timeout=120)
        self.at: list[float] = []
        self.start()

    def run(self) -> None:
        for event, _ in self._stream:
            if event != "BOOKMARK":
                self.at.append(time.monotonic())

    def close(self) -> None:
        self._stream.close()
        self.join(5)


def lateness(kube: Kube, window: float, round_number: int) -> float:
    """Roll the Deployment; seconds from the window's end to the verdict.

    The window begins with the change that made all ready: of those that an observer heard of, the
    one nearest to the moment at which the gate found all ready.
    """
    with ExitStack() as stack:
        observers = [Changes(kube, *collection) for collection in WATCHED]
        for observer in observers:
            stack.callback(observer.close)
        note = {"round": f"{window:g}-{round_number}-{time.time_ns()}"}
        kube.patch(SCOPE[0], {"spec": {"template": {"metadata": {"annotations": note}}}})
        result = run_gate(kube, SCOPE, timeout=60, stable_for=window, touched=SCOPE)
        verdict = time.monotonic()
        if not result.ready:
            raise SystemExit(f"the gate says {result.status}: {result.reason}")
        ready = verdict - result.duration_s + (result.first_ready_s or 0.0)
        heard = [moment for observer in observers for moment in observer.at]
    begin = min(heard, key=lambda moment: abs(moment - ready))
    return verdict - begin - window


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.gate", description=__doc__)
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 10))
    parser.add_argument("--keep", action="store_true", default=bool(os.environ.get("KEEP")))
    parser.add_argument("--print-only", action="store_true", help="leave the document alone")
    options = parser.parse_args()
    bed = Workbench("bench-gate", "hello", keep=options.keep)
    bed.copy(bed.project)
    try:
        bed.deploy()
        where = describe(bed)
        config = load_kubeconfig(Path(bed.kubeconfig), "kind-bench-gate")
        kube = Kube(config)
        found = {
            window: [lateness(kube, window, number) * 1000 for number in range(options.rounds)]
            for window in WINDOWS
        }
    finally:
        bed.remove([f"{bed.registry()}/hello/web"])
    text = f"{options.rounds} rollouts each; {where}.\n\n{table(found)}"
    print(text)
    if not options.print_only:
        write("bench-gate", text)
    return int(any(statistics.median(each) > BOUND_MS for each in found.values()))


def table(found: dict[float, list[float]]) -> str:
    """Milliseconds by window."""
    head = ["milliseconds after the window's end", *(f"{window:g} s" for window in found)]
    body = [
        ["median", *(f"{statistics.median(each):.0f}" for each in found.values())],
        ["worst", *(f"{max(each):.0f}" for each in found.values())],
    ]
    return rows(head, body)


if __name__ == "__main__":
    sys.exit(main())
