"""The image that clusters are made of: pulled or built, as by a deploy.

    python -m harness.nodeimage [VERSION]

prints its name; VERSION is a minor version of Kubernetes, such as 1.35.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from .project import REPOSITORY

# It takes ten minutes on two idle cores.
BOUND = 3600.0


def made_node_image(version: str = "") -> str:
    """The image's name. It is pulled or built where Docker lacks it."""
    with tempfile.TemporaryDirectory(prefix="node-image-") as project:
        cluster = {"kubernetes": version} if version else {}
        config = {"version": 1, "project": "node-image", "cluster": cluster}
        (Path(project) / "localloop.yml").write_text(json.dumps(config))
        arguments = {
            "project": project,
            "path": str(REPOSITORY / "roles/cluster/files/node-image"),
            "timeout": int(BOUND),
        }
        argv = [str(Path(sys.executable).parent / "ansible"), "localhost", "-c", "local"]
        argv += ["-i", "localhost,", "-m", "kind_node_image", "-a", json.dumps(arguments)]
        done = subprocess.run(
            argv,
            cwd=REPOSITORY,
            env={**os.environ, "ANSIBLE_INVENTORY_ENABLED": "host_list"},
            capture_output=True,
            text=True,
            timeout=BOUND,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        image: str = yaml.safe_load(done.stdout.partition("=> ")[2])["image"]
        return image


if __name__ == "__main__":
    print(made_node_image(*sys.argv[1:]))
