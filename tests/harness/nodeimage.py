"""The image that clusters are made of: pulled or built by the role ``cluster``, as for a deploy.

    python -m harness.nodeimage [VERSION]

prints its name; VERSION is a minor version of Kubernetes, such as 1.35.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from .project import REPOSITORY

# It takes ten minutes on two idle cores.
BOUND = 3600.0


def made_node_image(version: str = "") -> str:
    """The image's name; where Docker lacks it, it is pulled or built."""
    with tempfile.TemporaryDirectory(prefix="node-image-") as directory:
        result = Path(directory) / "image"
        tasks = [
            {
                "name": "Make the node image",
                "ansible.builtin.include_role": {"name": "cluster", "tasks_from": "node_image"},
            },
            {
                "name": "Note its name",
                "ansible.builtin.copy": {
                    "content": "{{ cluster_node_image_result['image'] }}",
                    "dest": str(result),
                    "mode": "0600",
                },
            },
        ]
        play = {"name": "Node image", "hosts": "localhost", "gather_facts": False, "tasks": tasks}
        playbook = Path(directory) / "play.yml"
        playbook.write_text(json.dumps([play]))
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,"]
        argv += ["-c", "local", "-e", f"cluster_kubernetes={version}", str(playbook)]
        done = subprocess.run(
            argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=BOUND, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return result.read_text()


if __name__ == "__main__":
    print(made_node_image(*sys.argv[1:]))
