"""``localloop content``: where the Ansible content lies: ansible.cfg, playbooks, roles."""

from __future__ import annotations

from ..system.paths import content_dir
from . import Options


def run(options: Options) -> int:
    directory = str(content_dir())
    options.console.document({"content": directory})
    if not options.console.as_json:
        print(directory)
    return 0
