"""What the installed Helm reads: the values that it is given, and YAML by its own parser."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

needs_helm = pytest.mark.skipif(
    shutil.which("helm") is None,
    reason="helm is not installed, and it is what is compared with: `make tools` brings it",
)

# In base64, because Helm reads what was rendered once more.
_TEMPLATE = """\
{{- $read := dict }}
{{- range $path, $text := .Files.Glob "corpus/*" }}
{{- $_ := set $read (base $path) (toString $text | fromYaml) }}
{{- end }}
kind: Read
texts: {{ toJson $read | b64enc }}
values: {{ toJson .Values | b64enc }}
"""


class RealHelm:
    """A chart in ``directory`` that shows what ``helm template`` reads."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "templates").mkdir(parents=True)
        (directory / "corpus").mkdir()
        (directory / "Chart.yaml").write_text("apiVersion: v2\nname: read\nversion: 0.1.0\n")
        (directory / "templates/read.yaml").write_text(_TEMPLATE)

    def values(self, text: str) -> Any:
        """What Helm makes of these values, which it gets by its standard input."""
        return self._rendered("values", text.encode())

    def texts(self, texts: list[bytes]) -> list[Any]:
        """What Helm makes of each text, which must be a map; ``DocumentError`` if nothing."""
        for number, text in enumerate(texts):
            (self.directory / f"corpus/{number}").write_bytes(text)
        found = self._rendered("texts", b"{}")
        return [_refused_or(found[str(number)]) for number in range(len(texts))]

    def _rendered(self, key: str, values: bytes) -> Any:
        done = subprocess.run(
            ["helm", "template", "--values", "-", "read", str(self.directory)],
            input=values,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        (line,) = (
            each for each in done.stdout.split(b"\n") if each.startswith(f"{key}: ".encode())
        )
        return json.loads(base64.b64decode(line.partition(b": ")[2]))


def _refused_or(value: Any) -> Any:
    """Helm's ``fromYaml`` returns its errors as a map."""
    return "refused" if isinstance(value, dict) and set(value) == {"Error"} else value
