"""Filter ``component_summary``; documented in component_summary.yml."""

from localloop.ansible.filters import filter_module
from localloop.plan.summary import component_summary

FilterModule = filter_module(component_summary)
