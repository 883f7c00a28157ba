"""Filter ``baseline_rows``; documented in baseline_rows.yml."""

from localloop.ansible.filters import filter_module
from localloop.baseline.table import baseline_rows

FilterModule = filter_module(baseline_rows)
