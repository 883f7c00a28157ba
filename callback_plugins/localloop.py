"""Callback plugin ``localloop``; the code is in ``localloop.ansible.callback``."""

from localloop.ansible.callback import CallbackModule

__all__ = ["CallbackModule"]

DOCUMENTATION = r"""
name: localloop
type: aggregate
short_description: Opens and closes the transaction of a playbook run
description:
  - When one of localloop's own playbooks is run by C(ansible-playbook) itself, takes the locks
    and opens the transaction before the first play, then writes the report, also of a run that
    failed or was interrupted. Another run that holds the lock ends this one with exit status 75.
  - A playbook of your own that uses the roles gets its transaction the same way if its play has
    C(localloop_command=deploy) among its C(vars).
  - Under the C(localloop) command, which does that itself, only notes the playbook's process.
  - With C(--check) it takes no lock and writes nothing.
author:
  - The localloop authors
"""
