#!/usr/bin/python
# Copyright: the localloop authors
# Apache License 2.0 (see LICENSE)
"""Say what is to be done about the bundled cluster's registry."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_inspect
short_description: Say what is to be done about the bundled cluster's registry
description:
  - Asks Docker for the registry's container, and the registry itself whether it answers.
  - Nothing is changed, but the port of a registry that is kept is noted in the user's state
    directory, so that one made anew gets it too.
options:
  name:
    description: The cluster's name.
    type: str
    required: true
  port:
    description: The port on 127.0.0.1 that it is to have; 0 keeps or chooses one.
    type: int
    default: 0
attributes:
  check_mode:
    description: The port is not noted.
    support: full
  diff_mode:
    description: There is nothing to differ.
    support: none
author:
  - The localloop authors
"""

EXAMPLES = r"""
- name: Look at the registry
  registry_inspect:
    name: hello
  register: registry_result
"""

RETURN = r"""
registry:
  description: The verdict (ok, create, start, recreate), its reason and what was seen.
  type: dict
  returned: success
  sample:
    verdict: recreate
    reason: registry_proxy_mode
    ours: true
    held: 5001
    container_id: 4f6d2a
    port: 5001
wired:
  description: Whether the node pulls from the registry by its host's address.
  type: bool
  returned: success
port:
  description: Its port on 127.0.0.1, or the one to create it with.
  type: int
  returned: success
address:
  description: Its address on the host, which the node knows too.
  type: str
  returned: success
  sample: 127.0.0.1:5001
reason:
  description: The stable name of what went wrong.
  type: str
  returned: failure
error:
  description: The failure as data, such as its C(message), C(component) and C(hint).
  type: dict
  returned: failure
"""

from ansible.module_utils.localloop.ansible.module import run_module
from ansible.module_utils.localloop.steps import registry_inspect


def main() -> None:
    run_module(registry_inspect)


if __name__ == "__main__":
    main()
