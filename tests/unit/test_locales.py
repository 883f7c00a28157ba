"""The locale that our playbooks get: Ansible starts only in one that exists and is in UTF-8."""

from __future__ import annotations

import locale
import subprocess
import sys

import pytest

from localloop.system.locales import utf8_locale

REPLACED = [
    {},
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX", "LANG": "C.UTF-8"},
    {"LANG": "xx_XX.UTF-8"},
    {"LANG": "xx_XX.ISO-8859-1"},
    {"LANG": "C.UTF-8", "LC_PAPER": "xx_XX.UTF-8"},
]
KEPT = [
    {"LANG": "C.UTF-8"},
    {"LC_ALL": "C.UTF-8", "LC_TIME": "xx_XX.UTF-8"},
    {"LANG": "C", "LC_CTYPE": "C.UTF-8"},
    {"LANG": "C.UTF-8", "LC_COLLATE": "C", "LC_ALL": ""},
]
# What ansible-playbook does first.
AS_ANSIBLE = "import locale; locale.setlocale(locale.LC_ALL, ''); print(locale.getlocale()[1])"


@pytest.mark.parametrize("environ", REPLACED)
def test_a_locale_that_ansible_refuses_is_replaced(environ: dict[str, str]) -> None:
    before = locale.setlocale(locale.LC_ALL)
    found = utf8_locale(environ)
    assert list(found) == ["LC_ALL"]
    assert starts({**environ, **found})
    assert locale.setlocale(locale.LC_ALL) == before


@pytest.mark.parametrize("environ", KEPT)
def test_a_locale_that_works_is_kept(environ: dict[str, str]) -> None:
    assert utf8_locale(environ) == {}
    assert starts(environ)


def starts(environ: dict[str, str]) -> bool:
    done = subprocess.run(
        [sys.executable, "-c", AS_ANSIBLE], env=environ, capture_output=True, text=True, check=False
    )
    return done.returncode == 0 and done.stdout.strip().lower() in ("utf-8", "utf8")
