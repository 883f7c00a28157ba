"""Where an API server is, judged by its URL and this machine's networks; it gets no request."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Names that mean this machine, as long as they resolve to it: Docker Desktop's are in /etc/hosts.
_LOCAL_NAMES = {"localhost", "host.docker.internal", "kubernetes.docker.internal"}
_NET = Path("/sys/class/net")
_SIOCGIFADDR, _SIOCGIFNETMASK = 0x8915, 0x891B


def is_local(server: str) -> bool:
    """Whether a server's URL is on loopback, or on a network that only this machine has.

    Such a network is a bridge with nothing but virtual devices attached: Docker's, libvirt's.
    Of names only localhost and Docker's own for it count, if all that they resolve to does.
    """
    try:
        host = (urlsplit(server).hostname or "").rstrip(".")
    except ValueError:
        return False
    try:
        return _is_here(ipaddress.ip_address(host))
    except ValueError:
        pass
    if host not in _LOCAL_NAMES and not host.endswith(".localhost"):
        return False
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(host, None)}
        return bool(found) and all(_is_here(ipaddress.ip_address(each)) for each in found)
    except (OSError, ValueError):
        return False


def same_server(one: str, other: str) -> bool:
    """Whether two URLs name the same server: scheme, host, port and path."""
    try:
        return _parts(one) == _parts(other)
    except ValueError:
        return False


def _parts(url: str) -> tuple[str, str, int, str]:
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    with suppress(ValueError):
        host = str(ipaddress.ip_address(host))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, host, port, parts.path.rstrip("/")


def _is_here(address: Address) -> bool:
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback or address.is_unspecified:  # k3d writes 0.0.0.0 for this machine
        return True
    return any(
        address in network.network and _source(address) == network.ip
        for network in virtual_networks()
    )


def virtual_networks() -> Iterator[ipaddress.IPv4Interface | ipaddress.IPv6Interface]:
    """This machine's own address, with its network, on each bridge that leads nowhere else."""
    bridges = {path.name for path in _NET.glob("*") if _leads_nowhere(path)}
    for name in sorted(bridges):
        with suppress(OSError, ValueError):
            yield _ipv4(name)
    with suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            packed, _, prefix, _, _, name = line.split()
            if name in bridges:
                yield ipaddress.IPv6Interface((bytes.fromhex(packed), int(prefix, 16)))


def _leads_nowhere(device: Path) -> bool:
    """Whether a device is a bridge between virtual Ethernet devices: no card, tunnel, or VLAN."""
    ports = (_NET / port.name for port in (device / "brif").glob("*"))
    return (device / "bridge").is_dir() and all(_is_virtual(port) for port in ports)


def _is_virtual(device: Path) -> bool:
    # Cards have a parent device; the kernel names the type of VLANs, VXLANs, bonds and tunnels.
    if (device / "device").exists():
        return False
    try:
        return "DEVTYPE=" not in (device / "uevent").read_text()
    except OSError:  # its container has just ended
        return not device.exists()


def _ipv4(name: str) -> ipaddress.IPv4Interface:
    import fcntl

    request = struct.pack("256s", name.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        address, mask = (
            socket.inet_ntoa(fcntl.ioctl(opened, code, request)[20:24])
            for code in (_SIOCGIFADDR, _SIOCGIFNETMASK)
        )
    return ipaddress.IPv4Interface(f"{address}/{mask}")


def _source(address: Address) -> Address | None:
    """The address from which this machine would talk to another; nothing is sent for that."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as opened:
            opened.connect((str(address), 9))
            return ipaddress.ip_address(opened.getsockname()[0])
    except OSError:
        return None
