"""What children ask a proxy for, by the rules of those who read the variables."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localloop.build.proxies import build_proxies
from localloop.system import tools
from localloop.system.environ import (
    for_commands,
    for_containers,
    uses_proxy,
    without_proxy,
)

PROXIES = [
    name for each in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY") for name in (each, each.lower())
]
LOOPBACK = {"localhost", "127.0.0.1", "127.0.0.0/8", "::1", "0.0.0.0"}
SPELLINGS = ("NO_PROXY", "no_proxy")

HOSTS = st.from_regex(r"\.?[a-z][a-z0-9-]{0,8}(\.[a-z]{2,5})?(:[0-9]{2,4})?", fullmatch=True)
ADDRESSES = st.ip_addresses().map(str) | st.just("172.18.0.0/16")
ENTRIES = st.lists(HOSTS | ADDRESSES, max_size=4)
LISTS = ENTRIES.map(" , ".join) | ENTRIES.map(",".join) | st.just(",")
PROXY = st.sampled_from(["http://proxy:3128", "http://u:p@10.0.0.1:80", "socks5://p", "p:1"])
OURS = st.lists(HOSTS | ADDRESSES, max_size=3)


@st.composite
def environs(draw: st.DrawFn) -> dict[str, str]:
    """An environment with a proxy, in one spelling or several."""
    names = draw(st.lists(st.sampled_from(PROXIES), min_size=1, unique=True))
    made = {"PATH": "/bin", **{name: draw(PROXY) for name in names}}
    for name in draw(st.lists(st.sampled_from(SPELLINGS), unique=True)):
        made[name] = draw(LISTS)
    return made


def entries(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


@given(environs(), OURS)
def test_both_spellings_name_loopback_and_the_given_hosts(
    environ: Mapping[str, str], hosts: list[str]
) -> None:
    made = without_proxy(environ, hosts)
    for name in SPELLINGS:
        assert LOOPBACK | set(hosts) <= set(entries(made[name]))


@given(environs(), OURS)
def test_what_each_reader_saw_stays_first_and_in_order(
    environ: Mapping[str, str], hosts: list[str]
) -> None:
    made = without_proxy(environ, hosts)
    for name, other in (SPELLINGS, SPELLINGS[::-1]):
        seen = entries(environ.get(name) or environ.get(other, ""))
        assert entries(made[name])[: len(seen)] == seen


@given(environs(), OURS)
def test_a_second_merge_changes_nothing(environ: Mapping[str, str], hosts: list[str]) -> None:
    once = without_proxy(environ, hosts)
    assert without_proxy(once, hosts) == without_proxy(once) == once


@given(environs(), OURS)
def test_nothing_else_changes(environ: Mapping[str, str], hosts: list[str]) -> None:
    made = without_proxy(environ, hosts)
    assert {key: made[key] for key in made if key not in SPELLINGS} == {
        key: environ[key] for key in environ if key not in SPELLINGS
    }


@given(st.dictionaries(st.sampled_from([*SPELLINGS, "PATH"]), LISTS), OURS)
def test_without_a_proxy_everything_stays(environ: dict[str, str], hosts: list[str]) -> None:
    assert without_proxy(environ, hosts) == environ
    assert for_containers(environ, hosts) == {}
    assert not uses_proxy({**environ, "HTTP_PROXY": ""})


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_star_stays_alone(name: str) -> None:
    made = without_proxy({"HTTP_PROXY": "http://p", name: "*"}, ["registry"])
    assert made["NO_PROXY"] == made["no_proxy"] == "*"


@given(environs())
def test_python_asks_no_proxy_for_this_machine(environ: dict[str, str]) -> None:
    made = without_proxy(environ, ["api.corp"])
    with pytest.MonkeyPatch.context() as patch:
        for name in (*PROXIES, *SPELLINGS):
            patch.delenv(name, raising=False)
        for name, value in made.items():
            patch.setenv(name, value)
        for host in ("127.0.0.1:5000", "localhost:80", "0.0.0.0:6443", "api.corp:6443"):
            assert urllib.request.proxy_bypass_environment(host)


@given(environs(), OURS)
def test_containers_get_a_proxy_in_both_spellings(
    environ: Mapping[str, str], hosts: list[str]
) -> None:
    made = for_containers(environ, hosts)
    assert {name.upper(): value for name, value in made.items()} == {
        name.upper(): made[name.lower()] for name in made
    }
    assert set(made) <= {*PROXIES, *SPELLINGS}
    assert set(hosts) <= set(entries(made["NO_PROXY"]))
    assert all(name.upper() in made for name in environ if name in PROXIES)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://127.0.0.1:3128",
        "127.0.0.1:1",
        "http://u:p@localhost:1/",
        "http://[::1]:8",
        "http://127.8.0.1",
    ],
)
def test_containers_get_no_proxy_on_their_own_loopback(proxy: str) -> None:
    assert for_containers({"HTTPS_PROXY": proxy, "NO_PROXY": "a"}) == {}
    kept = for_containers({"https_proxy": proxy, "HTTP_PROXY": "http://proxy:1"})
    assert set(kept) == {"HTTP_PROXY", "http_proxy", *SPELLINGS}


def test_commands_ask_no_proxy_for_the_cluster() -> None:
    made = for_commands(
        {"PATH": "/bin", "all_proxy": "http://p", "no_proxy": ".corp"}, ["10.1.2.3"]
    )
    assert {".corp", "10.1.2.3", *LOOPBACK} == set(entries(made["NO_PROXY"]))


@pytest.mark.parametrize("env", [None, {"HTTP_PROXY": "http://p"}])
def test_no_tool_asks_a_proxy_for_loopback(
    env: dict[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://p")
    monkeypatch.delenv("NO_PROXY", raising=False)
    code = "import os; print(os.environ['NO_PROXY'], os.environ['no_proxy'])"
    done = tools.run([sys.executable, "-c", code], timeout=30, env=env)
    for said in done.stdout.split():
        assert set(entries(said)) >= LOOPBACK


def test_builds_get_the_proxy_unless_dockers_client_passes_its_own(
    tmp_path: Path,
) -> None:
    environ = {"https_proxy": "http://p", "DOCKER_CONFIG": str(tmp_path)}
    assert build_proxies(environ)["HTTPS_PROXY"] == "http://p"
    config = tmp_path / "config.json"
    config.write_text('{"proxies": {"default": {"httpProxy": "http://other"}}}')
    assert build_proxies(environ) == {}
