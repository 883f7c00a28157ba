"""Causes that are fatal once they have lasted, and once a fresh read has confirmed them."""

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
    """Since when each cause has been seen.

    ``look_again`` reads the suspect's object once more and says whether the server answered;
    ``warn`` tells a person.
    """

    look_again: Callable[[Suspect], bool]
    warn: Callable[[str], None]
    seen: dict[SuspectKey, _Sighting] = field(default_factory=dict)

    def lasted(
        self, present: Iterable[tuple[ObjectRef, Suspect]], now: float
    ) -> tuple[tuple[ObjectRef, Suspect] | None, float | None]:
        """The first cause that counts, else the moment at which one may."""
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
            elif self.look_again(suspect):
                sighting.confirmed = True
                due.append(now)  # judge once more, by what was read
        return None, min(due, default=None)

    def _forget(self, causes: Iterable[SuspectKey]) -> None:
        present = set(causes)
        for key in [key for key in self.seen if key not in present]:
            if self.seen[key].sticky:  # comes and goes; each return is the same cause
                self.seen[key].confirmed = False
            else:
                del self.seen[key]
