"""Filter ``host_lacks``; documented in host_lacks.yml."""

from localloop.ansible.filters import filter_module
from localloop.system.host import host_lacks

FilterModule = filter_module(host_lacks)
