"""Print the plans of generated facts as JSON, a line each: the same in every process."""

from __future__ import annotations

import json

from hypothesis import given, settings
from test_decide import any_facts, plan_of, requests

from localloop.observe.facts import Facts, Request
from localloop.plan.decide import make_components


@settings(derandomize=True, database=None, deadline=None, max_examples=150)
@given(any_facts(), requests)
def print_plan(facts: Facts, wanted: Request) -> None:
    print(json.dumps(plan_of(make_components(facts, wanted)).as_dict()))


if __name__ == "__main__":
    print_plan()
