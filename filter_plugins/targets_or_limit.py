"""Filter ``targets_or_limit``; documented in targets_or_limit.yml."""

from localloop.ansible.filters import filter_module
from localloop.plan.targets import targets_or_limit

FilterModule = filter_module(targets_or_limit)
