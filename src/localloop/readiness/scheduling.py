"""What the scheduler says of a pod that no node can run, reduced to the reason that counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_MARK = re.compile(r"^(?:unschedulable|FailedScheduling|PodScheduled:) \S|nodes are available: ")
_HEAD = re.compile(r"^.*?\bnodes are available: |^(?:unschedulable|FailedScheduling) ", re.DOTALL)
# What follows is about other pods that could make room, or by what plugin; it is no reason.
_TAIL = re.compile(r"(?:\. |,? ?\b(?:pod group )?preemption:).*|\.$", re.DOTALL)
_NODES = re.compile(r"(?:^|, )(\d+) (?=\S)")
_CONTROL_PLANE = re.compile(
    r"untolerated taint \{node-role\.kubernetes\.io/(?:control-plane|master)\b"
)
# True of a node whatever runs on it, so that the pod was perhaps never meant for that node.
_BY_PLACE = re.compile(r"\btaint|node affinity|node name|volume zone|were unschedulable")


def first_decisive(texts: Iterable[str]) -> Iterator[str]:
    """The texts, with the first of the scheduler's reduced to its reason, and its others left out.

    The scheduler's later texts are about an earlier state.
    """
    seen = False
    for text in texts:
        if not _MARK.search(text):
            yield text
        elif not seen:
            seen = True
            yield decisive(text)


def decisive(message: str) -> str:
    """The one reason of ``0/3 nodes are available: 1 REASON, 2 REASON. preemption: …``.

    It is the one that holds for the most nodes. Between equals, a node that is full says more than
    one that the pod may never have been meant for. The control plane's taint comes last.
    """
    text = _TAIL.sub("", _HEAD.sub("", message.strip()))
    before, *counted = _NODES.split(text)
    if before or not counted:
        return text
    reasons = zip(counted[::2], counted[1::2], strict=True)
    return max(reasons, key=lambda each: _weight(int(each[0]), each[1]))[1]


def _weight(nodes: int, text: str) -> tuple[bool, int, bool]:
    return not _CONTROL_PLANE.search(text), nodes, not _BY_PLACE.search(text)
