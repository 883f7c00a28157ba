"""Filter ``components_with_step``; documented in components_with_step.yml."""

from localloop.ansible.filters import filter_module
from localloop.plan.summary import components_with_step

FilterModule = filter_module(components_with_step)
