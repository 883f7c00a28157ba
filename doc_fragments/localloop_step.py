# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""What the steps that take a plan have in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  plan:
    description: The plan as the step before returned it.
    type: dict
    required: true
attributes:
  diff_mode:
    description: Returns no diff of its own; M(component_report) shows one per component.
    support: none
"""
