"""The tags of an image's bytes: one plain, one that charts can read as a semantic version."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_helm import needs_helm

from localloop.readiness.image_proof import template_findings
from localloop.registry.published import PublishedImage
from localloop.registry.tags import is_digest_tag, is_ours, our_tags_in

DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format)
# The expression that semver.org suggests, and what the OCI specification allows as a tag.
SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)"
)
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


@given(DIGESTS)
def test_each_digest_has_both_tags(digest: str) -> None:
    image = PublishedImage("r/p/web", digest)
    assert image.tags == (image.tag, image.semver)
    assert SEMVER.fullmatch(image.semver) and TAG.fullmatch(image.semver)
    for tag in image.tags:
        assert is_ours(tag) and is_digest_tag(tag)
        assert our_tags_in(f'{{"image": "r/p/web:{tag}"}}') == {tag}


@given(DIGESTS, DIGESTS)
def test_a_template_that_names_other_bytes_by_a_tag_is_found(one: str, other: str) -> None:
    for tag in PublishedImage("r/p/web", one).tags:
        spec = {"containers": [{"name": "web", "image": f"r/p/web:{tag}"}]}
        found = template_findings(spec, {"r/p/web": frozenset({other})}, "web")
        assert bool(found) == (one[:27] != other[:27])


@needs_helm
@pytest.mark.parametrize(
    ("constraint", "holds"),
    [(">=1.2", "false"), ("^1", "false"), ("*", "false"), (">=1.2-0", "false"),
     (">=0.0.0-0", "true"), ("<1-0", "true")],
)  # fmt: skip
def test_helm_compares_it_as_a_prerelease(tmp_path: Path, constraint: str, holds: str) -> None:
    """What docs/configuration.md says about it."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: x\nversion: 0.1.0\n")
    (tmp_path / "templates/x.yaml").write_text(
        f"holds: {{{{ semverCompare {constraint!r} .Values.tag | toString }}}}\n".replace("'", '"')
    )
    image = PublishedImage("r/p/web", "sha256:" + "01" * 32)

    def rendered(tag: str) -> subprocess.CompletedProcess[str]:
        argv = ["helm", "template", "x", str(tmp_path), "--set-string", f"tag={tag}"]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    assert f"holds: {holds}\n" in rendered(image.semver).stdout
    assert "invalid semantic version" in rendered(image.tag).stderr
