"""Callback plugin ``localloop``; the code is in ``localloop.ansible.callback``."""

from localloop.ansible.callback import CallbackModule

__all__ = ["CallbackModule"]

DOCUMENTATION = r"""
name: localloop
type: aggregate
short_description: Opens and closes the transaction of a playbook run
description:
  - If C(ansible-playbook) runs one of localloop's own playbooks, takes the locks and opens the
    transaction before the first play, and writes the report at the end, even if the run failed or
    was interrupted. If another run holds the lock, ends this one with exit status 75.
  - A playbook of your own that uses the roles gets a transaction in the same way if its play has
    C(localloop_command=deploy) in its C(vars).
  - Under the C(localloop) command, which does all of this itself, only records the playbook's
    process.
  - With C(--check) takes no lock and writes nothing.
author:
  - The localloop authors
"""
