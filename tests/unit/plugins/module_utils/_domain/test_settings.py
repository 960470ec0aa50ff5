# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._core.errors import InputError
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.settings import (
    REQUIRED,
    SETTINGS,
    connection_of,
    read_settings,
    settings_of,
    with_records,
)

GIVEN: dict[str, t.Any] = {
    "lms_namespace_id": "lms-dev",
    "lms_docker_image": "registry.example/lms/backend:dev",
    "lms_sms4b_sender": "1C-RARUS",
    "lms_postgres_host": "postgres.example",
    "lms_postgres_client_image": "registry.example/tools/postgres-client:15",
    "lms_clickhouse_host": "clickhouse.example",
    "lms_clickhouse_client_image": "registry.example/tools/clickhouse-client:1",
    "lms_public_dns": "backend.lms-dev.example",
}


def read(**changes: t.Any) -> dict[str, t.Any]:
    return read_settings({**GIVEN, **changes}, catalogue="lms-dev")


def problems_of(**changes: t.Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(**changes)
    return t.cast("list[str]", caught.value.data["problems"])


def test_a_minimal_catalogue_gets_every_default() -> None:
    settings = read()
    for row in SETTINGS:
        if row.default is REQUIRED or row.name == "registry_namespace" or row.connection:
            continue
        if row.variable not in GIVEN:
            assert settings[row.name] == row.default, row.name
    assert settings["registry_namespace"] == "lms-dev"
    assert settings["catalogue"] == "lms-dev"


def test_the_settings_never_hold_the_connection() -> None:
    settings = read(lms_api_token="t0ken", lms_api_root_url="https://rancher.example/k8s/clusters/c-lab/")
    assert "api_token" not in settings
    assert "t0ken" not in repr(settings)
    assert settings["api_root_url"] == "https://rancher.example/k8s/clusters/c-lab"


def test_every_default_is_what_its_kind_takes() -> None:
    for row in SETTINGS:
        if row.default not in (REQUIRED, "", {}, []):
            assert row.kind.read(row.name, row.default) == row.default, row.name


GOOD: list[tuple[str, t.Any, t.Any]] = [
    ("keys_token_ttl_hours", "8", 8),
    ("keys_token_ttl_hours", " 24 ", 24),
    ("postgres_port", "6432", 6432),
    ("clickhouse_secure", "yes", True),
    ("clickhouse_secure", "False", False),
    ("cors", "no", False),
    ("max_surge", "25%", "25%"),
    ("max_surge", "2", 2),
    ("take_over", "C7, C42", ["C7", "C42"]),
    ("take_over", ["C7"], ["C7"]),
    ("node_affinity", {}, {}),
    ("pull_secret", {}, {}),
    ("rsa_bits", "4096", 4096),
    ("postgres_host", "10.0.0.7", "10.0.0.7"),
    ("postgres_host", "fd00::7", "fd00::7"),
    ("docker_image", "registry.example:5000/lms/backend@sha256:" + "a" * 64, "registry.example:5000/lms/backend@sha256:" + "a" * 64),
    ("environment", {"B": True, "A": 5}, {"A": "5", "B": "true"}),
    ("resources", {"limits": {"cpu": 2, "memory": "1Gi"}}, {"requests": {}, "limits": {"cpu": "2", "memory": "1Gi"}}),
    ("static_volume", {"kind": "none"}, {"kind": "none", "claim": "lms-static", "size": "10Gi", "storage_class": ""}),
    ("readiness_probe", {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": "5"},
     {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5}),
    ("gateway", {"namespace": "gateway", "name": "public"}, {"namespace": "gateway", "name": "public", "section": ""}),
    ("replicas", "", 1),
    ("replicas", None, 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "expected"), GOOD)
def test_takes(name: str, given: t.Any, expected: t.Any) -> None:
    result = read(**{f"lms_{name}": given})[name]
    assert (result, type(result)) == (expected, type(expected))


# name, what was given, how the sentence goes on after "lms_<name>"
BAD: list[tuple[str, t.Any, str]] = [
    ("docker_image", "registry.example/lms backend:dev", ': "registry.example/lms backend:dev" is not the name of an image. Expected ['),
    ("docker_image", "registry.example/LMS/backend:dev", ": "),
    ("docker_image", "https://registry.example/lms:dev", ": "),
    ("docker_image", "", ": is empty. Expected [<registry>/]<path>"),
    ("docker_image", None, ": is empty. Expected"),
    ("docker_image", ["a"], ": ['a'] is not the name of an image."),
    ("public_dns", "backend lms", ': "backend lms" is not a public DNS name. Expected lower-case labels'),
    ("public_dns", "https://backend.lms-dev.example", ": "),
    ("public_dns", "Backend.lms-dev.example", ": "),
    ("public_dns", "-backend.example", ": "),
    ("public_dns", "localhost", ": "),
    ("public_dns", "10.0.0.1", ": "),
    ("escrow_recipients", ["age1"], '[0]: "age1" is not an age public key.'),
    ("secret_store", {"kind": "vault", "url": "http://vault.example:8200"}, '.url: "http://vault.example:8200" is not an address. Expected https://'),
    ("secret_store", {"kind": "vault", "token": "hvs.x"}, ".token: there is no such key. Expected {kind: kubernetes}, or {kind: vault"),
    ("secret_store", {"kind": "vault", "path": "../elsewhere"}, '.path: "../elsewhere" is not a path in Vault. Expected letters'),
    ("secret_store", {"kind": "file"}, '.kind: "file" is not one of its choices. Expected kubernetes or vault.'),
    ("public_dns", "", ": is missing, and lms_publish is ingress. Expected"),
    ("postgres_host", "postgres.example:5432", ": "),
    ("postgres_host", "300.1.1.1", ": "),
    ("postgres_host", "post_gres", ": "),
    ("postgres_host", "a@b", ": "),
    ("clickhouse_host", "tcp://clickhouse", ": "),
    ("keys_token_ttl_hours", 0, ": 0 is not a whole number from 1 to 8760. Expected hours, from 1 to 8760."),
    ("keys_token_ttl_hours", "eight", ': "eight" is not a whole number from 1 to 8760. Expected hours, from 1 to 8760.'),
    ("keys_token_ttl_hours", 8.5, ": 8.5 is not a whole number"),
    ("keys_token_ttl_hours", True, ": true is not a whole number"),
    ("keys_token_ttl_hours", "٨", ": "),
    ("sms4b_passcode_lifetime_seconds", -1, ": -1 is not a whole number from 1 to 86400."),
    ("api_root_url", "rancher.example/k8s/clusters/c-lab", ': "rancher.example/k8s/clusters/c-lab" is not the root URL of'),
    ("api_root_url", "http://rancher.example/k8s/clusters/c-lab", ": "),
    ("api_root_url", "https:///k8s", ": "),
    ("api_root_url", "https://rancher.example/k8s clusters", ": "),
    ("api_root_url", "https://rancher.example:port/", ": "),
    ("api_root_url", "https://rancher.example/?cluster=c", ": "),
    ("namespace_id", "LMS-dev", ": "),
    ("namespace_id", "lms.dev", ": "),
    ("namespace_id", "", ": is empty."),
    ("postgres_port", 70000, ": 70000 is not a whole number from 1 to 65535."),
    ("clickhouse_secure", "maybe", ': "maybe" is not true or false.'),
    ("postgres_sslmode", "on", ': "on" is not one of its choices. Expected disable, prefer, require, verify-ca or verify-full.'),
    ("publish", "route", ": "),
    ("rsa_bits", 1024, ": 1024 is not a length of RSA keys. Expected bits: 2048, 3072 or 4096."),
    ("rsa_key_mode", 288, ': 288 is not a file mode. Expected four octal digits in quotes'),
    ("rsa_key_mode", "0777", ": "),
    ("replicas", 0, ": 0 is not a whole number from 1 to 100. Expected pods"),
    ("sms4b_sender", "a\nb", ': "a\\nb" is not one line of text.'),
    ("sms4b_sender", "   ", ": "),
    ("keys_rsa_path", "/etc/../rsa", ": "),
    ("keys_rsa_path", "etc/rsa", ": "),
    ("database_prefix", "Prod-", ": "),
    ("take_over", ["c42"], '[0]: "c42" is not a client id.'),
    ("take_over", 42, ": 42 is not a list of client ids."),
    ("node_affinity", {"key": "rarus"}, ".values: is missing."),
    ("resources", {"limits": {"cpu": "lots"}}, '.limits.cpu: "lots" is not a quantity.'),
    ("resources", {"limit": {}}, ".limit: there is no such key."),
    ("readiness_probe", {"periodSeconds": 1}, ": "),
    ("readiness_probe", {"tcpSocket": {"port": 1}, "period": 1}, ": "),
    ("static_volume", {"kind": "disk"}, '.kind: "disk" is not one of its choices.'),
    ("environment", {"1A": "x"}, ', key: "1A" is not the name of an environment variable.'),
    ("environment", {"A": ["x"]}, ".A: ['x'] is not the value of an environment variable."),
    ("environment", {"LMS_KEYS_TOKEN_TTL_HOURS": 8}, ".LMS_KEYS_TOKEN_TTL_HOURS: has a setting of its own. Set keys_token_ttl_hours."),
    ("environment", {"LMS_CLIENT_ID": "C7"}, ".LMS_CLIENT_ID: is given by the client's own id"),
    ("environment", {"SMTP_PASSWORD": "x"}, ".SMTP_PASSWORD: sounds like a secret."),
    ("client_settings", {"c42": {}}, ', key: "c42" is not a client id.'),
    ("client_settings", {"C42": {"replica": 2}}, ".C42.replica: there is no such setting. replicas is meant?"),
    ("client_settings", {"C42": {"namespace_id": "x"}}, ".C42.namespace_id: belongs to the catalogue as a whole"),
    ("client_settings", {"C42": {"replicas": "two"}}, '.C42.replicas: "two" is not a whole number'),
    ("client_settings", {"C42": {"publish": "httproute"}}, ".C42.gateway: is missing"),
    ("client_settings", {"C42": {"probe": "job"}}, ".C42.probe_image: is missing"),
    ("client_settings", {"C42": {"probe_image": "x"}}, ".C42.probe_image: belongs to the catalogue as a whole"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "goes_on"), BAD)
def test_refuses_in_one_sentence(name: str, given: t.Any, goes_on: str) -> None:
    changes = {f"lms_{name}": given}
    found = problems_of(**changes)
    assert len(found) == 1, found
    assert found[0].startswith(f"lms_{name}{goes_on}"), found[0]
    assert found[0].endswith((".", "?")), found[0]
    assert "\n" not in found[0]


TOGETHER: list[tuple[dict[str, t.Any], str]] = [
    ({"lms_publish": "httproute"}, "lms_gateway: is missing, and lms_publish is httproute."),
    ({"lms_escrow_recipients": ["age1" + "q" * 58]}, "lms_escrow_folder: is missing, and lms_escrow_recipients says who"),
    ({"lms_static_volume": {"kind": "nfs"}}, "lms_nfs_server: is missing, and lms_static_volume.kind is nfs."),
    ({"lms_max_surge": 0}, "lms_max_unavailable: is 0 and so is lms_max_surge"),
    ({"lms_min_ready_seconds": 300}, "lms_min_ready_seconds: is 300. Expected fewer than wait_timeout_seconds (300)."),
    ({"lms_pre_stop_seconds": 30}, "lms_pre_stop_seconds: is 30. Expected fewer than termination_grace_seconds (30)."),
    ({"lms_postgres_sslmode": "verify-full"}, "lms_postgres_ca: is missing, and lms_postgres_sslmode is verify-full."),
    ({"lms_clickhouse_ca": {"name": "a", "key": "b"}}, "lms_clickhouse_ca: is set and lms_clickhouse_secure is false: nothing is checked"),
    ({"lms_run_as_user": 0}, "lms_run_as_user: is 0, which is root."),
]


@pytest.mark.parametrize(("changes", "begins"), TOGETHER)
def test_refuses_what_is_wrong_together(changes: dict[str, t.Any], begins: str) -> None:
    (found,) = problems_of(**changes)
    assert found.startswith(begins)


@pytest.mark.parametrize("given", ["hunter2", ["hunter2"], {"name": "pg", "user_key": "u", "password_key": "p", "password": "hunter2"}])
def test_a_secret_in_place_of_a_reference_is_not_repeated(given: t.Any) -> None:
    (found,) = problems_of(lms_postgres_admin_secret=given)
    assert found.startswith("lms_postgres_admin_secret")
    assert "hunter2" not in found
    assert "Expected {name: <Secret>, user_key: <key>, password_key: <key>}; never the value itself." in found


def test_all_problems_come_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read(lms_docker_image="a b", lms_keys_token_ttl_hours="eight", lms_public_dns=None)
    assert caught.value.message.splitlines()[0] == "3 settings of lms-dev are wrong, nothing was touched:"
    assert [line.strip().split(":")[0] for line in caught.value.message.splitlines()[1:]] == [
        "lms_docker_image", "lms_keys_token_ttl_hours", "lms_public_dns",
    ]  # fmt: skip


def test_a_missing_setting_is_called_missing() -> None:
    given = {name: value for name, value in GIVEN.items() if name != "lms_docker_image"}
    with pytest.raises(InputError, match=r"^lms_docker_image: is missing\. Expected "):
        read_settings(given, catalogue="lms-dev")


@pytest.mark.parametrize(("variable", "meant"), [("lms_docker_imge", "lms_docker_image"), ("lms_node_afinity", "lms_node_affinity")])
def test_a_typo_is_named(variable: str, meant: str) -> None:
    assert problems_of(**{variable: "x"}) == [f"{variable}: there is no such setting. {meant} is meant?"]


def test_a_catalogues_own_helpers_are_let_alone() -> None:
    assert read(lms_colour="red", other="x") == read()


def test_an_unknown_catalogue_is_refused() -> None:
    with pytest.raises(InputError, match="lms_catalogue: is empty"):
        read_settings(GIVEN)


def test_a_clients_own_settings_lie_over_the_catalogues() -> None:
    settings = read(
        lms_environment={"A": "1", "B": "1"},
        lms_client_settings={"C42": {"replicas": "2", "environment": {"B": "2"}, "resources": {"limits": {"cpu": 1}}}},
    )
    own = settings_of(settings, ClientId(42))
    assert own["replicas"] == 2
    assert own["environment"] == {"A": "1", "B": "2"}
    assert own["resources"] == {"requests": {}, "limits": {"cpu": "1"}}
    assert settings_of(settings, ClientId(7))["environment"] == {"A": "1", "B": "1"}
    assert settings["replicas"] == 1


def test_a_records_settings_lie_over_the_catalogues_for_this_client() -> None:
    settings = read(
        lms_environment={"A": "1", "B": "1"},
        lms_client_settings={"C42": {"replicas": 2, "environment": {"B": "2"}}, "C7": {"replicas": 3}},
    )
    records = {
        "C42": {"phase": "registered", "settings": {"replicas": "4", "environment": {"C": "3"}}},
        "C7": {"phase": "suspended", "settings": {}},
        "C8": {"phase": "registered", "settings": {"publish": "none"}},
    }
    laid = with_records(settings, records)
    assert settings_of(laid, ClientId(42))["replicas"] == 4
    assert settings_of(laid, ClientId(42))["environment"] == {"A": "1", "B": "2", "C": "3"}
    assert settings_of(laid, ClientId(7))["replicas"] == 0
    assert settings_of(laid, ClientId(8))["publish"] == "none"
    assert settings["client_settings"]["C42"]["replicas"] == 2


def test_wrong_settings_of_records_come_in_one_message() -> None:
    with pytest.raises(InputError) as caught:
        with_records(read(), {"C42": {"settings": {"replicas": "many", "no_such": 1}}, "C7": {"settings": {"namespace_id": "x"}}})
    problems = caught.value.data["problems"]
    assert [problem.partition(":")[0] for problem in problems] == ["settings of C42"] * 2 + ["settings of C7"]
    with pytest.raises(InputError, match="settings of C42: pre_stop_seconds: is 30"):
        with_records(read(), {"C42": {"settings": {"pre_stop_seconds": 30}}})


CONNECTIONS: list[tuple[dict[str, t.Any], dict[str, t.Any]]] = [
    ({}, {}),
    ({"lms_api_token": "", "lms_api_ca_file": None}, {}),
    ({"lms_api_token": "token-abc:xyz\n"}, {"api_key": "token-abc:xyz"}),
    ({"lms_api_validate_certs": "no"}, {"validate_certs": False}),
    ({"lms_api_root_url": "https://r.example/k8s/clusters/c-1/", "lms_api_ca_file": "/ca.pem"},
     {"host": "https://r.example/k8s/clusters/c-1", "ca_cert": "/ca.pem"}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), CONNECTIONS)
def test_the_connection_leaves_out_what_is_not_set(given: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    assert connection_of(given) == expected


def test_a_malformed_token_is_refused_and_not_repeated() -> None:
    with pytest.raises(InputError) as caught:
        connection_of({"lms_api_token": "hunter2 hunter3"})
    assert caught.value.message.startswith("lms_api_token: the value is not a bearer token. Expected printable characters")
    assert "hunter" not in caught.value.message
