"""The node images of each Kubernetes version: published by digest, or built here.

docs/clusters.md shows them as a table, with where each digest is listed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..config.model import ClusterConfig
from ..errors import UsageError
from ..system.docker import Docker

KINDEST: Mapping[str, str] = {
    # From the release notes of kind 0.33.0; the first is also the default in its source.
    "1.37": "kindest/node:v1.37.0"
    "@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5",
    "1.36": "kindest/node:v1.36.4"
    "@sha256:099e049362a1526b2db71494e1947aae99bd16290d7c895f2b7ea312e3cbfaed",
    "1.35": "kindest/node:v1.35.8"
    "@sha256:07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0",
    "1.34": "kindest/node:v1.34.11"
    "@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d",
    # The images of kind 0.31.0, as ctlptl lists them in pkg/cluster/admin_kind.go.
    "1.33": "kindest/node:v1.33.7"
    "@sha256:d26ef333bdb2cbe9862a0f7c3803ecc7b4303d8cea8e814b481b09949d353040",
    "1.32": "kindest/node:v1.32.11"
    "@sha256:5fc52d52a7b9574015299724bd68f183702956aa4a2116ae75a63cb574b35af8",
    "1.31": "kindest/node:v1.31.14"
    "@sha256:6f86cf509dbb42767b6e79debc3f2c32e4ee01386f0489b3b2be24b0a55aac2b",
}
"""By minor version, newest first: the published image that kind 0.33 can use, by digest."""

BUILDABLE: Mapping[str, str] = {"1.37": "1.37.2", "1.36": "1.36.3", "1.35": "1.35.4"}
"""By minor version, newest first: the version that roles/cluster/files/node-image builds."""

NEWEST = "1.37"
"""The minor version of a cluster whose configuration names none."""

_VERSION = re.compile(r"(?:^|:)v?(\d+\.\d+)")


def minor_of(text: str) -> str:
    """The minor version, such as ``1.37``, of ``text``; empty if it contains none.

    ``text`` is a version (``1.37``, ``v1.37.2``) or an image reference whose tag is one
    (``kindest/node:v1.37.0@sha256:…``).
    """
    name = text.partition("@")[0].rpartition("/")[2]
    found = _VERSION.search(name)
    return found[1] if found else ""


def require_known(wanted: ClusterConfig) -> None:
    """Raise ``UsageError`` (``kubernetes_unavailable``) for a version of Kubernetes that a new
    cluster cannot have: no image of it is known, or the configured one is of another."""
    minor, image = wanted.kubernetes, wanted.node_image
    if not minor:
        return
    if image:
        if minor_of(image) in ("", minor):
            return
        raise UsageError(
            "kubernetes_unavailable",
            f"`cluster.node_image` is {image}, and `cluster.kubernetes` asks for {minor}",
            hint="Leave one of the two out, or make them agree.",
        )
    if minor not in KINDEST and minor not in BUILDABLE:
        known = sorted({*KINDEST, *BUILDABLE}, key=lambda each: int(each[2:]), reverse=True)
        raise UsageError(
            "kubernetes_unavailable",
            f"there is no node image for Kubernetes {minor}",
            hint=f"`cluster.kubernetes` can be {', '.join(known)};"
            " `cluster.node_image` names any other image.",
        )


def refuses_cgroup_v1(image: str) -> bool:
    """Whether the kubelet of a published image does not start on this host without being asked.

    From 1.35 on it refuses hosts with cgroup v1, unless ``failCgroupV1`` is false.
    """
    published = not image.startswith("localloop/")
    minor = minor_of(image).partition(".")[2]
    v1 = Path("/sys/fs/cgroup").is_dir() and not Path("/sys/fs/cgroup/cgroup.controllers").exists()
    return published and v1 and int(minor or 0) >= 35


def kubeadm_patches(docker: Docker, image: str) -> str:
    """The directory of an image with patches for what kubeadm makes; empty if it has none.

    The image that localloop builds names it in a label.
    """
    found = docker.inspect_image(image) or {}
    return str((found.get("Config", {}).get("Labels") or {}).get("localloop.kubeadm-patches") or "")
