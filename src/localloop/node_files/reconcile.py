"""Reconcile: replace the pods that still use a node file's earlier bytes, one by one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from ..config.model import PodScope, Reconcile
from ..errors import LocalloopError
from ..events import Emit
from ..kube.client import ApiError
from ..kube.collections import Collection
from ..kube.objects import Object, controller_uid, ref_of, uid_of
from ..kube.selectors import matches
from ..plan.model import ComponentPlan, Plan
from ..readiness.pod_rule import pod_finished, pod_ready, terminating
from ..readiness.store import Store, Watchers
from ..readiness.wait import run_gate
from ..record.store import RecordStore
from ..session import Session


def reconcile_pods(session: Session, plan: Plan, emit: Emit) -> Plan:
    """Restart the pods that the plan reconciles; the plan with the counts in it.

    Raises ``reconcile_failed:NAME`` if a replacement does not become ready in time; the remaining
    pods stay pending in the record.
    """
    components = dict(plan.components)
    for part in plan.with_step("reconcile"):
        config = session.project.node_files[part.name].reconcile
        if config is None:
            continue
        started = time.monotonic()
        run = _Reconcile(session, part, config, emit)
        try:
            run.run(after_release=bool(plan.with_step("release")))
        finally:
            changed = part.changed or run.file.restarted > 0
            components[part.name] = replace(part, file=run.file, changed=changed)
            plan = replace(plan, components=components, serial=run.serial)
            emit({"event": "plan", "plan": plan.as_dict()})
            duration = time.monotonic() - started
            emit({"event": "span", "name": f"{part.name}_reconcile", "duration_s": duration})
    return plan


class _Reconcile:
    """The restarts for one node file; ``file`` has the counts, also if one fails."""

    def __init__(
        self, session: Session, part: ComponentPlan, config: Reconcile, emit: Emit
    ) -> None:
        self.file = part.file
        self._session = session
        self._name = part.name
        self._emit = emit
        self._namespace, self._selector = config.namespace, config.selector
        self._source = Collection("v1", "Pod", config.namespace)
        self._store = Store([self._source], time.monotonic)
        self._records = RecordStore(session.kube, session.project.name)
        self._record = self._records.load()
        self._entry = self._record.node_files[part.name]
        self._old = frozenset(self._entry.pods)

    @property
    def serial(self) -> int:
        """The record's serial as it is now."""
        return self._record.serial

    def run(self, *, after_release: bool) -> None:
        """Restart the pods; ``after_release``: rollouts may be replacing them already."""
        if after_release:
            self._let_rollouts_end()
        with Watchers(self._session.kube, self._store, [self._source]):
            self._restart_all()
        if not self.file.pending:
            done = self._record.with_file(self._name, replace(self._entry, reconciled=True))
            self._record = self._records.save(done)

    def _let_rollouts_end(self) -> None:
        """Wait for rollouts, which replace pods anyway; judging them is left to the gate."""
        run_gate(
            self._session.kube,
            [],
            timeout=self.file.timeout,
            also=[PodScope(namespace=self._namespace, selector=self._selector, optional=True)],
        )

    def _restart_all(self) -> None:
        pods = self._wait(lambda _pods: True, "the list of pods")
        left = [pod for pod in pods if uid_of(pod) in self._old]
        self.file = replace(self.file, expected=len(pods), pending=len(left))
        for pod in left:
            self._restart(pod)

    def _restart(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        if not controller_uid(pod):
            self._say(f"left pod {name}: no controller would replace it")
            return
        self._say(f"restart pod {name}")
        try:
            self._session.kube.delete(ref_of(pod), uid=uid_of(pod))
        except ApiError as error:
            if error.status != 409:  # 409: another pod has that name now
                raise
        self.file = replace(self.file, waits=self.file.waits + 1)
        self._wait(lambda pods: self._recovered(pods, uid_of(pod)), f"a pod in place of {name}")
        self.file = replace(
            self.file, restarted=self.file.restarted + 1, pending=self.file.pending - 1
        )

    def _recovered(self, pods: list[Object], gone: str) -> bool:
        """Whether the pod is gone, there are as many as before, and all new ones are ready."""
        fresh = [pod for pod in pods if uid_of(pod) not in self._old]
        return (
            all(uid_of(pod) != gone for pod in pods)
            and len(pods) >= self.file.expected
            and all(map(pod_ready, fresh))
        )

    def _wait(self, reached: Callable[[list[Object]], bool], what: str) -> list[Object]:
        """Wait until the pods have ``reached`` a state, and return them; bounded by the timeout."""
        deadline = time.monotonic() + self.file.timeout
        while True:
            version, view, trouble = self._store.state()
            if view is not None and trouble is None:
                pods = self._users(view.pods(self._namespace))
                if reached(pods):
                    return pods
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._late(what, str(trouble.message) if trouble else "")
            with self._store.changed:
                if self._store.version == version:
                    self._store.changed.wait(left)

    def _users(self, pods: list[Object]) -> list[Object]:
        return [
            pod
            for pod in pods
            if matches(self._selector, pod["metadata"].get("labels"))
            and not terminating(pod)
            and not pod_finished(pod)
        ]

    def _late(self, what: str, trouble: str) -> LocalloopError:
        reason = "apiserver_unreachable" if trouble else "pod_not_ready"
        self.file = replace(self.file, failure=reason)
        return LocalloopError(
            f"reconcile_failed:{self._name}",
            f"waited {self.file.timeout:g} s for {what}: {trouble or 'it is not ready'}"
            f" ({self.file.restarted} restarted, {self.file.pending} left as they were)",
            component=self._name,
            hint=f"Look at the pods (kubectl -n {self._namespace} get pods -l"
            f" '{self._selector}'), then deploy again: the rest is pending.",
        )

    def _say(self, text: str) -> None:
        self._emit(
            {"event": "progress", "component": self._name, "step": "reconcile", "text": text}
        )
