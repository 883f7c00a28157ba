"""Filter ``not_terminating``; documented in not_terminating.yml."""

from localloop.ansible.filters import filter_module
from localloop.readiness.pod_rule import not_terminating

FilterModule = filter_module(not_terminating)
