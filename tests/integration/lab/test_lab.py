"""The lab keeps its contract (docs/lab-contract.md): it serves, starts nothing twice, stands beside another, and leaves nothing behind."""
from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

LAB = Path(__file__).parents[3] / "tests" / "lab"
STATE = Path(os.environ.get("RARUS_LMS_STATE") or "/var/lib/rarus-lms")
POLL_SECONDS = 0.1
UP_SECONDS = 300
SHORT_SECONDS = 60



def lab(*words: str, expect: int | None = 0, seconds: float = UP_SECONDS, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run the lab's program; `expect` is the exit code that must come, None for any."""
    done = subprocess.run([sys.executable, str(LAB), *words], input=text, capture_output=True, text=True, check=False, timeout=seconds)
    assert expect is None or done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def until(true: Callable[[], Any], what: str, seconds: float = SHORT_SECONDS) -> Any:
    """Wait until `true` returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(POLL_SECONDS)
    return found


@dataclass
class Running:
    """A lab that serves."""

    name: str

    @property
    def state(self) -> Path:
        return STATE / "labs" / self.name

    @property
    def facts(self) -> dict[str, Any]:
        return dict(json.loads((self.state / "lab.json").read_text()))

    @property
    def pids(self) -> dict[str, str]:
        return {file.stem: file.read_text().strip() for file in (self.state / "run").glob("*.pid")}

    @property
    def index(self) -> int:
        return int(json.loads((self.state / "settings.json").read_text())["index"])

    def exec(self, *command: str, expect: int | None = 0, text: str = "") -> str:
        done = lab("exec", "--name", self.name, "--", *command, expect=expect, seconds=SHORT_SECONDS, text=text)
        return done.stdout + done.stderr

    def kubectl(self, *words: str, expect: int | None = 0, text: str = "") -> str:
        return self.exec("kubectl", *words, expect=expect, text=text)

    def secret(self, path: str) -> str:
        return Path(path).read_text()


@pytest.fixture(scope="module")
def first() -> Iterator[Running]:
    try:
        lab("up", "--name", "test-first")
        yield Running("test-first")
    finally:
        lab("down", "--name", "test-first")


@pytest.fixture(scope="module")
def space(first: Running) -> Iterator[str]:
    """A namespace at Pod Security level restricted, with the registry's login."""
    registry = first.facts["registry"]
    first.kubectl("create", "namespace", "space")
    first.kubectl("label", "namespace", "space", "pod-security.kubernetes.io/enforce=restricted")
    first.kubectl(
        "-n", "space", "create", "secret", "docker-registry", "login", f"--docker-server={registry['host']}",
        f"--docker-username={registry['user']}", f"--docker-password={first.secret(registry['password_file'])}",
    )
    yield "space"
    first.kubectl("delete", "namespace", "space", "--wait=false")


def pod(name: str, image: str, script: str, **spec: Any) -> str:
    """The text of a pod that runs a shell script and passes Pod Security `restricted`."""
    container = {
        "name": "main", "image": image, "imagePullPolicy": "Always", "command": ["bash", "-c", script],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    whole = {"restartPolicy": "Never", "securityContext": security, "containers": [container], "terminationGracePeriodSeconds": 0, **spec}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": whole})


# --- it serves ---------------------------------------------------------------------------------------------------------------------------

def test_every_component_serves(first: Running) -> None:
    table = lab("status", "--name", first.name).stdout
    for component in ("etcd", "kube-apiserver", "kubelet", "netpol", "postgres-15", "clickhouse", "registry", "nginx", "coredns", "traefik"):
        assert [line for line in table.splitlines() if line.startswith(component) and line.endswith(" serves")], table


def test_idle_memory_is_within_the_budget(first: Running) -> None:
    total = next(line for line in lab("status", "--name", first.name).stdout.splitlines() if line.startswith("all "))
    assert float(total.split()[1]) < 2.5 * 1024, total


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_api_is_reached_through_the_proxy_with_and_without_the_last_slash(first: Running, slash: str) -> None:
    api = first.facts["api"]
    server = [f"--server={api['root_url']}{slash}", f"--certificate-authority={api['ca_file']}", "--kubeconfig=/dev/null"]
    token = first.kubectl("create", "token", "default").strip()
    assert '"gitVersion": "v1.' in first.kubectl(*server, f"--token={token}", "get", "--raw", "/version")
    assert "Forbidden" in first.kubectl(*server, f"--token={token}", "get", "secrets", expect=1)
    assert "Unauthorized" in first.kubectl(*server, "--token=wrong", "get", "secrets", expect=1)


def test_the_node_is_ready_and_labelled(first: Running) -> None:
    assert " Ready " in first.kubectl("get", "nodes", "-l", "rarus=lms", "--no-headers")


def test_exec_resolves_names_for_its_command_only(first: Running) -> None:
    before = Path("/etc/hosts").read_bytes()
    assert first.exec("getent", "hosts", "rancher.example").split()[0] == first.facts["names"]["rancher.example"]
    assert first.exec("sh", "-c", "echo $KUBECONFIG $LAB_STATE").split() == [first.facts["api"]["kubeconfig"], str(first.state / "lab.json")]
    assert Path("/etc/hosts").read_bytes() == before
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("rancher.example", 443)


def test_exec_ends_with_the_exit_code_of_its_command(first: Running) -> None:
    first.exec("sh", "-c", "exit 7", expect=7)


def test_passwords_lie_in_files_of_their_own(first: Running) -> None:
    text = (first.state / "lab.json").read_text()
    files = [file for file in (first.state / "secrets").iterdir() if file.name != "htpasswd"]
    assert files
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.read_text() not in text


# --- registry, pods, names, policies -----------------------------------------------------------------------------------------------------

def test_pods_pull_with_a_login_only_and_reach_everything_by_name(first: Running, space: str) -> None:
    facts = first.facts
    image = facts["images"]["postgres_client"]
    script = "for name in postgres.lms-prod.example kubernetes.default.svc.cluster.local; do nslookup $name || exit 1; done; echo resolved"
    login = {"imagePullSecrets": [{"name": "login"}]}
    first.kubectl("-n", space, "create", "-f", "-", text=pod("with-login", image, f"{script}; sleep 600", **login))
    first.kubectl("-n", space, "create", "-f", "-", text=pod("without", image, script))
    first.kubectl("-n", space, "wait", "pod/with-login", "--for=condition=Ready", "--timeout=60s")
    until(lambda: "resolved" in first.kubectl("-n", space, "logs", "with-login"), "names resolve in a pod")
    assert "uid=10001" in first.kubectl("-n", space, "exec", "with-login", "--", "id")
    until(lambda: "authoriz" in first.kubectl("-n", space, "get", "events", "--field-selector=involvedObject.name=without"), "the refused pull")


def test_a_network_policy_is_enforced(first: Running, space: str) -> None:
    image = first.facts["images"]["postgres_client"]
    login = {"imagePullSecrets": [{"name": "login"}]}
    first.kubectl("-n", space, "create", "-f", "-", text=pod("server", image, "busybox httpd -f -p 8080 -h /tmp", **login))
    first.kubectl("-n", space, "wait", "pod/server", "--for=condition=Ready", "--timeout=60s")
    address = first.kubectl("-n", space, "get", "pod", "server", "-o", "jsonpath={.status.podIP}")

    def asked(name: str, labels: str) -> str:
        script = f"exec 3<>/dev/tcp/{address}/8080 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3; true"
        text = pod(name, image, script, **login).replace(f'"app": "{name}"', labels)
        first.kubectl("-n", space, "create", "-f", "-", text=text)
        first.kubectl("-n", space, "wait", f"pod/{name}", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
        return first.kubectl("-n", space, "logs", name)

    assert "404" in asked("before", '"app": "stranger"')
    policy = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "friends"},
        "spec": {"podSelector": {"matchLabels": {"app": "server"}}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}]}]},
    }
    first.kubectl("-n", space, "create", "-f", "-", text=json.dumps(policy))
    attempts = iter(range(100))
    until(lambda: "404" not in asked(f"stranger-{next(attempts)}", '"app": "stranger"'), "the stranger is kept out")
    until(lambda: "404" in asked(f"friend-{next(attempts)}", '"app": "friend"'), "the friend is let in")


def test_ingress_and_httproute_take_the_prefix_off(first: Running, space: str) -> None:
    ingress = first.facts["ingress"]
    image = first.facts["images"]["postgres_client"]
    script = "mkdir -p /tmp/www && echo from the pod >/tmp/www/hello && busybox httpd -f -p 8080 -h /tmp/www"
    first.kubectl("-n", space, "create", "-f", "-", text=pod("web", image, script, imagePullSecrets=[{"name": "login"}]))
    first.kubectl("-n", space, "create", "service", "clusterip", "web", "--tcp=8080:8080")
    first.kubectl("-n", space, "create", "secret", "tls", "tls", f"--cert={ingress['cert_file']}", f"--key={ingress['key_file']}")
    first.kubectl("-n", space, "create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": [INGRESS, ROUTE]}))
    context = ssl.create_default_context(cafile=ingress["ca_file"])
    for host in ingress["hosts"]:
        until(lambda host=host: get(context, ingress["ip"], host, "/C42/hello") == (200, "from the pod\n"), f"https://{host}/C42/hello")
        assert get(context, ingress["ip"], host, "/C42x/hello")[0] == 404


INGRESS = {
    "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
    "metadata": {"name": "web", "annotations": {
        "nginx.ingress.kubernetes.io/use-regex": "true", "nginx.ingress.kubernetes.io/rewrite-target": "/$2",
    }},
    "spec": {
        "ingressClassName": "nginx", "tls": [{"hosts": ["backend.lms-dev.example"], "secretName": "tls"}],
        "rules": [{"host": "backend.lms-dev.example", "http": {"paths": [{
            "path": "/C42(/|$)(.*)", "pathType": "ImplementationSpecific", "backend": {"service": {"name": "web", "port": {"number": 8080}}},
        }]}}],
    },
}
ROUTE = {
    "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "web"},
    "spec": {
        "parentRefs": [{"name": "public", "namespace": "gateway"}], "hostnames": ["backend.lms-prod.example"],
        "rules": [{
            "matches": [{"path": {"type": "PathPrefix", "value": "/C42"}}],
            "filters": [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}],
            "backendRefs": [{"name": "web", "port": 8080}],
        }],
    },
}


def get(context: ssl.SSLContext, address: str, host: str, path: str) -> tuple[int, str]:
    """Status and body of https://host/path asked at `address`."""
    with socket.create_connection((address, 443), 5) as plain, context.wrap_socket(plain, server_hostname=host) as wire:
        wire.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: wire.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body


# --- databases, audit --------------------------------------------------------------------------------------------------------------------

def psql(first: Running, major: str, role: str, statement: str, *, expect: int | None = 0, password: str | None = None) -> str:
    server = first.facts["postgres"][major]
    word = password if password is not None else first.secret(server[role]["password_file"])
    url = f"postgresql://{server[role]['user']}@{server['host']}:{server['port']}/postgres"
    return first.exec("env", f"PGPASSWORD={word}", "psql", url, "-XAtc", statement, expect=expect)


def test_postgres_has_two_kinds_of_administrator_and_believes_no_one_without_a_password(first: Running) -> None:
    rights = "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    assert psql(first, "15", "superuser", rights).strip() == "t|t|t"
    assert psql(first, "15", "createrole", rights).strip() == "f|t|t"
    assert "password authentication failed" in psql(first, "15", "superuser", rights, expect=2, password="wrong")


def test_postgres_logs_definitions_but_the_lab_told_it_no_password(first: Running) -> None:
    server = first.facts["postgres"]["15"]
    psql(first, "15", "superuser", "CREATE TABLE definition_is_logged ()")
    log = Path(server["log"]).read_text()
    assert "CREATE TABLE definition_is_logged" in log
    for role in ("superuser", "createrole"):
        assert first.secret(server[role]["password_file"]) not in log


def test_the_audit_log_has_bodies_but_not_those_of_secrets(first: Running) -> None:
    first.kubectl("create", "configmap", "audited", "--from-literal=word=body-of-the-configmap")
    first.kubectl("create", "secret", "generic", "audited", "--from-literal=word=body-of-the-secret")
    events = [json.loads(line) for line in Path(first.facts["api"]["audit_log"]).read_text().splitlines()]
    written = {event["objectRef"]["resource"]: event for event in events if event.get("objectRef", {}).get("name") == "audited"}
    assert written["configmaps"]["requestObject"]["data"] == {"word": "body-of-the-configmap"}
    assert not written["secrets"].keys() & {"requestObject", "responseObject"}


def test_the_silent_address_swallows_every_packet(first: Running) -> None:
    with pytest.raises(TimeoutError):
        socket.create_connection((first.facts["names"]["silent.example"], 443), 0.5)


# --- up again, side by side --------------------------------------------------------------------------------------------------------------

def test_a_second_up_starts_nothing_twice(first: Running) -> None:
    before = first.pids
    out = lab("up", "--name", first.name).stdout
    assert first.pids == before
    assert not [line for line in out.splitlines() if line.split()[0] in before], out


def test_up_brings_back_what_was_killed_and_nothing_else(first: Running) -> None:
    before = first.pids
    os.kill(int(before["scheduler"].split()[0]), signal.SIGKILL)
    until(lambda: "not running" in lab("status", "--name", first.name, expect=1).stdout, "status sees it")
    lab("up", "--name", first.name)
    assert [name for name, pid in first.pids.items() if before[name] != pid] == ["scheduler"]
    lab("status", "--name", first.name)


def test_two_labs_stand_side_by_side(first: Running) -> None:
    lab("up", "--name", "test-second")
    second = Running("test-second")
    try:
        assert second.facts["names"].keys() == first.facts["names"].keys()
        assert not set(second.facts["names"].values()) & set(first.facts["names"].values())
        second.kubectl("create", "namespace", "only-second")
        assert "NotFound" in first.kubectl("get", "namespace", "only-second", expect=1)
    finally:
        lab("down", "--name", "test-second")
    lab("status", "--name", first.name)


def test_further_majors_and_pretended_nodes_join_a_running_lab(first: Running) -> None:
    before = first.pids
    lab("up", "--name", first.name, "--postgres", "13,18", "--kwok", "2")
    assert set(first.pids) - set(before) == {"postgres-13", "postgres-18", "kwok"}
    for major in ("13", "18"):
        found = psql(first, major, "createrole", "SELECT name FROM pg_available_extensions WHERE name IN ('pgcrypto', 'uuid-ossp') ORDER BY 1")
        assert found.split() == ["pgcrypto", "uuid-ossp"]
        assert psql(first, major, "superuser", "SHOW server_version_num").startswith(major)
    until(lambda: first.kubectl("get", "nodes", "-l", "rarus=pretended", "--no-headers").count(" Ready ") == 2, "pretended nodes are ready")
    lab("up", "--name", first.name)
    assert first.facts["postgres"].keys() == {"13", "15", "18"}


# --- nothing stays behind ----------------------------------------------------------------------------------------------------------------

def of_the_host() -> dict[str, set[str]]:
    """What belongs to the host and no lab may change: mounts, and iptables rules."""
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    return {
        "mounts": set(Path("/proc/self/mountinfo").read_text().splitlines()),
        "rules": {line for line in rules.splitlines() if line.startswith("-")},
    }


def left_behind(name: str, index: int | None) -> list[str]:
    """Everything that is still there of a lab: its folder, processes, interface and cgroups."""
    state = STATE / "labs" / name
    found = [str(state)] if state.exists() else []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            about = (folder / "cmdline").read_text() + (folder / "environ").read_text() + (folder / "cgroup").read_text()
        except (OSError, UnicodeDecodeError):
            continue
        if f"{state}/" in about or f"{state}\0" in about or (index is not None and f"/lms{index}/" in about):
            found.append(f"process {folder.name}: {about[:200]}")
    if index is not None:
        found += [str(path) for path in [Path(f"/sys/class/net/lms{index}")] if path.exists()]
        found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/lms{index}")]
    return found


@pytest.mark.parametrize("moment", ["", "etcd", "sandbox image", "kube-apiserver", "kubelet", "coredns", "traefik"])
def test_down_leaves_nothing_after_the_manager_was_killed(moment: str) -> None:
    name = "test-killed"
    before = of_the_host()
    manager = subprocess.Popen([sys.executable, str(LAB), "up", "--name", name], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert manager.stdout is not None
    if moment:
        for line in manager.stdout:
            if line.startswith(moment):
                break
    else:
        until(lambda: (STATE / "labs" / name / "settings.json").exists(), "the wire is laid")
    index = Running(name).index
    manager.kill()
    manager.wait()
    manager.stdout.close()
    lab("down", "--name", name)
    assert left_behind(name, index) == []
    assert of_the_host() == before


def test_up_goes_on_where_a_killed_manager_stopped(first: Running) -> None:
    name = "test-killed"
    manager = subprocess.Popen([sys.executable, str(LAB), "up", "--name", name], stdout=subprocess.PIPE, text=True)
    assert manager.stdout is not None
    next(line for line in manager.stdout if line.startswith("kube-apiserver"))
    manager.kill()
    manager.wait()
    manager.stdout.close()
    try:
        lab("up", "--name", name)
        lab("status", "--name", name)
    finally:
        lab("down", "--name", name)


def test_down_of_a_lab_that_never_was_is_no_error() -> None:
    lab("down", "--name", "test-never")
    assert left_behind("test-never", None) == []


# --- clear sentences ---------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("words", "says"), [
    (["up", "--name", "Not A Name"], "--name: 'Not A Name' is no name for a lab"),
    (["status", "--name", "test-never"], "lab test-never does not run; start it with"),
    (["exec", "--name", "test-never", "--", "true"], "lab test-never does not run; start it with"),
    (["up", "--postgres", "15,9"], "'15,9' is no list of PostgreSQL majors"),
])
def test_mistakes_get_one_clear_sentence(words: list[str], says: str) -> None:
    done = lab(*words, expect=None)
    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_logs_shows_a_component_and_names_all_for_an_unknown_one(first: Running) -> None:
    assert "Traefik" in lab("logs", "--name", first.name, "traefik").stdout
    assert "database system is ready" in lab("logs", "--name", first.name, "postgres-15").stdout
    assert "kube-apiserver" in lab("logs", "--name", first.name, "nonsense", expect=1).stderr


GIB = 1 << 30


@pytest.mark.parametrize(("changed", "says"), [
    ({"system": "darwin"}, "runs on Linux on amd64, and this is darwin on x86_64"),
    ({"architecture": "aarch64"}, "runs on Linux on amd64, and this is linux on aarch64"),
    ({"user": 1000}, "must be root, not user 1000; use sudo"),
    ({"memory": GIB}, "needs 3.0 GiB of free memory, this machine has 1.0 GiB"),
    ({"disk": 2 * GIB}, "needs 5.0 GiB of free disk at /var, there are 2.0 GiB"),
])
def test_a_machine_that_cannot_carry_a_lab_is_told_so(monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], says: str) -> None:
    monkeypatch.syspath_prepend(str(LAB))
    import machine
    from layout import LabError

    good = {"system": "linux", "architecture": "x86_64", "user": 0, "memory": 8 * GIB, "disk": 50 * GIB, "disk_path": "/var"}
    for facts, fails in ((good, False), ({**good, **changed}, True)):
        found = machine.Facts(**facts)
        if not fails:
            machine.check_kind(found)
            machine.check_room(found)
            continue
        with pytest.raises(LabError, match=says):
            machine.check_kind(found)
            machine.check_room(found)


def test_a_component_that_fails_shows_its_own_last_lines(monkeypatch: pytest.MonkeyPatch, first: Running) -> None:
    monkeypatch.syspath_prepend(str(LAB))
    import processes
    from layout import Lab, LabError

    it = Lab(first.name, first.index, first.state, Path(first.facts["bin"]))
    broken = processes.Component("broken", ["sh", "-c", "echo no such luck; exit 3"], lambda: False)
    with pytest.raises(LabError, match=r"broken ended; the last lines of .*broken\.log:\nno such luck"):
        processes.Start(it, lambda line: None).run([broken])
