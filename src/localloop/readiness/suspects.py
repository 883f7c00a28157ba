"""How long causes have lasted: they are fatal after a while, once a fresh read confirms them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..kube.objects import ObjectRef
from .pod_rule import Suspect

SuspectKey = tuple[str, str, str]


@dataclass
class _Sighting:
    first: float
    sticky: bool
    confirmed: bool = False
    warned: bool = False


@dataclass
class Suspects:
    """The causes seen so far, and since when.

    ``read_again`` reads the suspect's object once more and returns whether the server answered;
    ``warn`` shows a warning.
    """

    read_again: Callable[[Suspect], bool]
    warn: Callable[[str], None]
    seen: dict[SuspectKey, _Sighting] = field(default_factory=dict)

    def first_confirmed(
        self, present: Iterable[tuple[ObjectRef, Suspect]], now: float
    ) -> tuple[tuple[ObjectRef, Suspect] | None, float | None]:
        """The first cause that is fatal now; otherwise when to check again.

        ``present`` are the suspects of this observation with the objects they keep from being
        ready; times are on the gate's clock, in seconds.
        """
        causes: dict[SuspectKey, tuple[ObjectRef, Suspect]] = {}
        for ref, suspect in present:
            causes.setdefault(suspect.key, (ref, suspect))
        self._forget(causes)
        due: list[float] = []
        for key, (ref, suspect) in causes.items():
            sighting = self.seen.setdefault(key, _Sighting(now, sticky=suspect.sticky))
            if suspect.warn_after is not None and not sighting.warned:
                if now - sighting.first >= suspect.warn_after:
                    sighting.warned = True
                    self.warn(f"{ref.name}: {suspect.reason}: {suspect.detail}")
                else:
                    due.append(sighting.first + suspect.warn_after)
            if now - sighting.first < suspect.hold:
                due.append(sighting.first + suspect.hold)
            elif sighting.confirmed:
                return (ref, suspect), None
            elif self.read_again(suspect):
                sighting.confirmed = True
                due.append(now)  # judge once more, with what was read
        return None, min(due, default=None)

    def _forget(self, causes: Iterable[SuspectKey]) -> None:
        present = set(causes)
        for key in [key for key in self.seen if key not in present]:
            if self.seen[key].sticky:  # comes and goes, and is the same cause each time
                self.seen[key].confirmed = False
            else:
                del self.seen[key]
