"""Run ``localloop`` in this process and record what it does, without changing its code.

``python probe.py FILE ARGUMENT…`` writes to FILE as JSON: the processes that were started (an audit
hook), every HTTP request by its server (``http.client``'s own method, wrapped), the modules that
were imported, and where the time went: each moment belongs to the innermost phase that was open.
"""

import importlib._bootstrap as bootstrap
import json
import sys
import time

STARTED = time.perf_counter()
SPAWNING = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.exec", "os.system"}
PRELOADED = len(sys.modules)


class Phases:
    """Seconds by phase; a phase inside another one is not counted twice."""

    def __init__(self):
        self.seconds = {}
        self.open = []
        self.since = STARTED

    def switch(self):
        now = time.perf_counter()
        if self.open:
            phase = self.open[-1]
            self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self.since
        self.since = now

    def wrap(self, owner, name, phase):
        """Count all time inside ``owner.name`` towards ``phase``."""
        inner = getattr(owner, name)

        def timed(*args, **kwargs):
            self.switch()
            self.open.append(phase)
            try:
                return inner(*args, **kwargs)
            finally:
                self.switch()
                self.open.pop()

        setattr(owner, name, timed)


def main(target, arguments):
    phases, processes, requests = Phases(), [], []
    sys.addaudithook(
        lambda event, args: processes.append(f"{event} {args[:1]}") if event in SPAWNING else None
    )
    # The import statement calls this for a module that is not loaded yet.
    phases.wrap(bootstrap, "_find_and_load", "imports")
    run(phases, arguments, requests)
    phases.switch()
    servers = [server for server, _ in requests]
    found = {
        "phases": phases.seconds,
        "processes": processes,
        "requests": {name: servers.count(name) for name in ("api", "docker", "registry")},
        "paths": requests,
        "modules": len(sys.modules) - PRELOADED,
    }
    with open(target, "w") as file:  # noqa: PTH123 (pathlib would be one more import)
        json.dump(found, file)


def run(phases, arguments, requests):
    phases.open.append("the rest")
    import http.client

    from localloop import __main__
    from localloop.cluster import state as cluster
    from localloop.commands import deploy
    from localloop.fingerprint.project import ProjectFingerprints
    from localloop.kube.client import Kube
    from localloop.registry.client import Registry
    from localloop.system.docker import Docker, _UnixConnection
    from localloop.transaction import transaction

    def server(connection):
        if isinstance(connection, _UnixConnection):
            return "docker"
        return "api" if hasattr(connection, "_tls") else "registry"

    ask = http.client.HTTPConnection.putrequest

    def noting(connection, method, url, *args, **kwargs):
        requests.append((server(connection), f"{method} {url}"))
        return ask(connection, method, url, *args, **kwargs)

    http.client.HTTPConnection.putrequest = noting
    phases.wrap(deploy, "load_project", "configuration")
    phases.wrap(Docker, "_request", "Docker")
    phases.wrap(Kube, "__init__", "TLS and API")
    phases.wrap(Kube, "request", "TLS and API")
    phases.wrap(Registry, "_request", "registry")
    phases.wrap(cluster, "see_registry", "registry")
    phases.wrap(ProjectFingerprints, "of", "fingerprints")
    phases.wrap(ProjectFingerprints, "of_image", "fingerprints")
    phases.wrap(ProjectFingerprints, "of_chart", "fingerprints")
    phases.wrap(transaction.Transaction, "close", "report")
    if __main__.main(arguments):
        sys.exit("localloop failed")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
