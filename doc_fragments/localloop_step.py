# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""The documentation that all modules that take a plan share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  plan:
    description: The plan as the previous step returned it.
    type: dict
    required: true
attributes:
  diff_mode:
    description: Returns no diff of its own; M(component_report) shows one for each component.
    support: none
"""
