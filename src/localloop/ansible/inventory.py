"""``localloop.yml`` as an inventory: components are hosts in the groups of their kinds.

No value is ever a template: ansible-core renders the values of an inventory plugin only if the
plugin marks them as trusted, and this one does not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin

from ..config.environment import deploy_mode, deploy_targets
from ..config.model import Chart, Image, Project
from ..config.project import CONFIG_NAME, load_project
from ..errors import LocalloopError

GROUPS = ("images", "node_files", "charts")


class InventoryModule(BaseInventoryPlugin):
    """Reads the project that the option ``project`` names, or a ``localloop.yml`` given with -i."""

    NAME = "localloop"

    def verify_file(self, path: str) -> bool:
        name = Path(path).name
        return bool(super().verify_file(path)) and (
            name == CONFIG_NAME
            or name.endswith(("localloop.inventory.yml", "localloop.inventory.yaml"))
        )

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        if Path(path).name == CONFIG_NAME:
            root = Path(path).parent
        else:
            self._read_config_data(path)
            root = Path(str(self.get_option("project")))
        try:
            project = load_project(root)
        except LocalloopError as error:
            # Not chained: Ansible would print the message once for each exception.
            raise AnsibleParserError(f"{error}\n  (project {root.absolute()})") from None
        for group in GROUPS:
            inventory.add_group(group)
            for name in getattr(project, group):
                inventory.add_host(name, group=group)
        for key, value in project_vars(project, os.environ).items():
            inventory.set_variable("all", key, value)
        for name, component in project.components.items():
            for key, value in component_vars(component).items():
                inventory.set_variable(name, key, value)


def project_vars(project: Project, environ: Mapping[str, str]) -> dict[str, Any]:
    """The variables of every host: what the roles' defaults refer to."""
    cluster = project.cluster
    return {
        "localloop_project": str(project.root),
        "localloop_project_name": project.name,
        "localloop_cluster_name": cluster.name,
        "localloop_cluster_provider": cluster.provider,
        "localloop_cluster_context": cluster.context,
        "localloop_registry_port": project.registry.port,
        "localloop_profile": project.profile,
        "localloop_timeout": project.readiness.timeout,
        "localloop_bootstrap": environ.get("LOCALLOOP_BOOTSTRAP") or "auto",
        "localloop_force": environ.get("LOCALLOOP_FORCE") == "1",
        "localloop_mode": deploy_mode(environ),
        "localloop_targets": list(deploy_targets(environ)),
        "localloop_plan": environ.get("LOCALLOOP_PLAN", ""),
    }


def component_vars(component: Image | Chart) -> dict[str, Any]:
    """A host's own variables; its tasks run locally, with the Python that runs Ansible."""
    found: dict[str, Any] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "localloop_kind": component.kind,
    }
    if isinstance(component, Chart):
        found |= {
            "localloop_release": component.release,
            "localloop_namespace": component.namespace,
        }
    return found
