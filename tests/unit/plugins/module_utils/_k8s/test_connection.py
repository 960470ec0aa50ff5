# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError, UnknownStateError
from ansible_collections.rarus.lms.plugins.module_utils._k8s.connection import KUBERNETES_OPTIONS, connect
from ansible_collections.rarus.lms.plugins.module_utils._k8s.resources import Ref
from support.fake_api import BEARER, FakeApi

POD = Ref("v1", "Pod", "a", "lms-dev")

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: one
contexts: [{{name: one, context: {{cluster: c, user: u}}}}, {{name: two, context: {{cluster: c, user: v}}}}]
clusters: [{{name: c, cluster: {{server: "{server}"}}}}]
users:
  - {{name: u, user: {{token: token-of-the-kubeconfig}}}}
  - name: v
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        interactiveMode: Never
        command: /bin/echo
        args: ['{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {{"token": "token-of-a-helper"}}}}']
"""


@pytest.fixture(autouse=True)
def _no_cluster_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("KUBERNETES_SERVICE_HOST", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def refusal(**params: t.Any) -> str:
    with pytest.raises(InputError) as caught:
        connect(params)
    return str(caught.value.as_result()["msg"])


@pytest.mark.parametrize("end", ["", "/", "//"])
def test_the_root_may_end_with_a_slash(fake_api: FakeApi, end: str) -> None:
    fake_api.add({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "lms-dev"}})
    api = connect({"host": fake_api.root + end, "api_key": BEARER})
    assert api.get(POD) is not None
    assert fake_api.requests[0].headers["Authorization"] == f"Bearer {BEARER}"
    assert api.root == fake_api.root


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("rancher.example/k8s/clusters/c-abcde", "is not the root URL of an API"),
        ("https://", "is not the root URL of an API"),
        ("ftp://rancher.example", "is not the root URL of an API"),
        ("https://rancher.example:port", "is not the root URL of an API"),
        ("https://rancher.example:99999", "is not the root URL of an API"),
        ("https://rancher.example/?x=1", "is not the root URL of an API"),
        ("https://rancher example", "is not the root URL of an API"),
        ("http://rancher.example/k8s", "would send the token without TLS. Expected https://."),
    ],
)
def test_a_root_that_cannot_be_one_is_refused(host: str, words: str) -> None:
    message = refusal(host=host, api_key=BEARER)
    assert message.startswith(f'host: "{host}" ')
    assert words in message


def test_a_password_in_the_root_is_refused_and_not_shown() -> None:
    assert "hunter2" not in refusal(host="https://me:hunter2@rancher.example", api_key=BEARER)


def test_http_with_a_ca_is_refused_even_on_loopback(tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_text("-----BEGIN CERTIFICATE-----")
    assert "without TLS" in refusal(host="http://127.0.0.1:1", api_key=BEARER, ca_cert=str(ca))


@pytest.mark.parametrize("token", ["canary-token\n", "canary\ntoken", "canary token", "Bearer canary", "canaryключ"])
def test_a_token_that_http_libraries_would_print_is_refused_and_not_shown(token: str) -> None:
    message = refusal(host="https://rancher.example", api_key=token)
    assert message.startswith("api_key: the token ")
    assert "canary" not in message


@pytest.mark.parametrize("option", ["ca_cert", "client_cert", "client_key"])
def test_files_are_checked_by_name(option: str, tmp_path: Path) -> None:
    good = tmp_path / "good.pem"
    good.write_text("-----BEGIN CERTIFICATE-----")
    files = {"ca_cert": str(good), "client_cert": str(good), "client_key": str(good)}
    missing = {**files, option: str(tmp_path / "missing")}
    assert refusal(host="https://rancher.example", api_key=BEARER, **missing) == (
        f"{option}: {tmp_path}/missing cannot be read (No such file or directory)."
    )
    (tmp_path / "text").write_text("hello")
    assert "is not a PEM file" in refusal(host="https://rancher.example", api_key=BEARER, **{**files, option: str(tmp_path / "text")})


@pytest.mark.parametrize(
    ("context", "token"), [(None, "token-of-the-kubeconfig"), ("one", "token-of-the-kubeconfig"), ("two", "token-of-a-helper")]
)
def test_a_kubeconfig_gives_server_and_token(fake_api: FakeApi, tmp_path: Path, context: str | None, token: str) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG.format(server=fake_api.root + "/"))
    assert connect({"kubeconfig": str(path), "context": context}).get(POD) is None
    assert fake_api.requests[0].headers["Authorization"] == f"Bearer {token}"


def test_options_win_over_the_kubeconfig(fake_api: FakeApi, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG.format(server="https://another.example"))
    connect({"kubeconfig": str(path), "host": fake_api.root}).version()
    connect({"kubeconfig": str(path), **fake_api.params}).version()
    assert [request.headers["Authorization"] for request in fake_api.requests] == ["Bearer token-of-the-kubeconfig", f"Bearer {BEARER}"]


def test_the_default_kubeconfig_is_the_last_resort(tmp_path: Path) -> None:
    message = refusal()
    assert message.startswith("No connection to a cluster is configured: ")
    assert "Set host and api_key" in message


def test_a_broken_kubeconfig_does_not_show_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("users: [{token: canary-token")
    message = refusal(kubeconfig=str(path))
    assert message.startswith(f"kubeconfig: {path} is not YAML.")
    assert "canary" not in message


def test_empty_options_are_no_options(fake_api: FakeApi) -> None:
    api = connect({**fake_api.params, "ca_cert": "", "proxy": "", "context": "", "validate_certs": ""})
    assert api.version()["major"] == "1"


def test_the_options_are_those_of_kubernetes_core() -> None:
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

    for name, option in KUBERNETES_OPTIONS.items():
        theirs = AUTH_ARG_SPEC[name]
        assert option["aliases"] == theirs.get("aliases", []), name
        variables = option["fallback"][1]
        assert variables == [f"K8S_AUTH_{spelling.upper()}" for spelling in (name, *option["aliases"])]
    assert KUBERNETES_OPTIONS["api_key"]["no_log"]


def test_a_proxy_that_is_away_is_named_without_its_password(fake_api: FakeApi) -> None:
    api = connect({"host": "https://rancher.example", "api_key": BEARER, "proxy": "http://me:hunter2@127.0.0.1:9"})
    with pytest.raises(UnknownStateError, match=r"^The proxy 127.0.0.1:9 did not connect to rancher.example:443") as caught:
        api.version()
    assert "hunter2" not in caught.value.as_result()["msg"]


def test_the_patience_is_set_by_the_environment(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RARUS_LMS_READ_SECONDS", "0.1")
    fake_api.answer("GET", "/version", delay=0.5)
    with pytest.raises(UnknownStateError, match="stayed silent"):
        connect(fake_api.params).version()
    monkeypatch.setenv("RARUS_LMS_REPEAT_SECONDS", "0")
    fake_api.fail("GET", "/version", 503, times=9)
    api = connect(fake_api.params)
    with pytest.raises(UnknownStateError, match="503"):
        api.version()
    assert api.calls == 1


@pytest.mark.parametrize("given", ["soon", "0", "-1", "nan", "1e9"])
def test_a_patience_that_is_no_number_of_seconds_is_refused(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("RARUS_LMS_READ_SECONDS", given)
    with pytest.raises(InputError, match=f'RARUS_LMS_READ_SECONDS: "{given}" is not a number of seconds'):
        connect(fake_api.params)
