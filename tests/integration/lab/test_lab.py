"""The lab keeps its contract (docs/lab-contract.md): it serves, starts nothing twice, stands beside another, and leaves nothing behind."""
from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import machine
import processes
import pytest
from layout import Lab as Layout
from layout import LabError, cgroup_of
from support.ids import fresh
from support.lab import LABS, PROGRAM, Lab, start, stop

POLL_SECONDS = 0.1
UP_SECONDS = 300
SHORT_SECONDS = 60
SILENCE_SECONDS = 0.5
PODS = ("coredns", "traefik")
FIRST, SECOND, KILLED, NEVER = "test-first", "test-second", "test-killed", "test-never"


def program(*words: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run the lab's program; `expect` is the exit code that must come, None for any."""
    command = [sys.executable, str(PROGRAM), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=UP_SECONDS)
    assert expect is None or done.returncode == expect, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def until(true: Callable[[], Any], what: str) -> Any:
    """Wait until `true` returns something true, and return that."""
    deadline = time.monotonic() + SHORT_SECONDS
    while not (found := true()):
        assert time.monotonic() < deadline, f"not within {SHORT_SECONDS} s: {what}"
        time.sleep(POLL_SECONDS)
    return found


def pids(lab: Lab) -> dict[str, str]:
    """Number and start time of each component's process, by the component's name."""
    return {file.stem: file.read_text().strip() for file in (lab.state / "run").glob("*.pid")}


def index(lab: Lab) -> int:
    """The number that names the lab's interface and addresses."""
    return int(json.loads((lab.state / "settings.json").read_text())["index"])


def refused(lab: Lab, *words: str) -> str:
    """What kubectl says when it must fail."""
    done = lab.run("kubectl", *words, check=False)
    assert done.returncode == 1
    return done.stderr


@pytest.fixture(scope="module")
def first() -> Iterator[Lab]:
    """A lab of this module's own: its components are killed and joined by others."""
    try:
        yield start(FIRST)
    finally:
        stop(FIRST)


@dataclass(frozen=True)
class Space:
    """A namespace at Pod Security level restricted, with the registry's login."""

    lab: Lab
    name: str = "space"

    def kubectl(self, *words: str, text: str | None = None) -> str:
        return self.lab.kubectl("--namespace", self.name, *words, text=text)

    def create(self, *objects: dict[str, Any]) -> None:
        self.kubectl("create", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def run(self, name: str, script: str, *, app: str = "", login: bool = True) -> None:
        """Make a pod that runs a shell script."""
        container = {
            "name": "main", "image": self.lab.facts["images"]["postgres_client"], "imagePullPolicy": "Always",
            "command": ["bash", "-c", script],
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        spec = {
            "restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 0,
            "imagePullSecrets": [{"name": "login"}] if login else [],
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        }
        self.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": app or name}}, "spec": spec})

    def wait(self, pod: str, condition: str) -> None:
        self.kubectl("wait", f"pod/{pod}", f"--for={condition}", f"--timeout={SHORT_SECONDS}s")


@pytest.fixture(scope="module")
def space(first: Lab) -> Space:
    found = Space(first)
    registry = first.facts["registry"]
    first.kubectl("create", "namespace", found.name)
    first.kubectl("label", "namespace", found.name, "pod-security.kubernetes.io/enforce=restricted")
    login = [f"--docker-username={registry['user']}", f"--docker-password={first.secret(registry['password_file'])}"]
    found.kubectl("create", "secret", "docker-registry", "login", f"--docker-server={registry['host']}", *login)
    return found


# --- it serves ---------------------------------------------------------------------------------------------------------------------------

def test_every_component_serves(first: Lab) -> None:
    table = program("status", "--name", FIRST).stdout
    for component in ("etcd", "kube-apiserver", "kubelet", "netpol", "postgres-15", "clickhouse", "registry", "nginx", *PODS):
        assert [line for line in table.splitlines() if line.startswith(component) and line.endswith(" serves")], table


def test_idle_memory_is_within_the_budget(first: Lab) -> None:
    total = next(line for line in program("status", "--name", FIRST).stdout.splitlines() if line.startswith("all "))
    assert float(total.split()[1]) < 2.5 * 1024, total


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_api_is_reached_through_the_proxy_with_and_without_the_last_slash(first: Lab, slash: str) -> None:
    api = first.facts["api"]
    server = [f"--server={api['root_url']}{slash}", f"--certificate-authority={api['ca_file']}", "--kubeconfig=/dev/null"]
    token = first.kubectl("create", "token", "default").strip()
    assert '"gitVersion": "v1.' in first.kubectl(*server, f"--token={token}", "get", "--raw", "/version")
    assert "Forbidden" in refused(first, *server, f"--token={token}", "get", "secrets")
    assert "Unauthorized" in refused(first, *server, "--token=wrong", "get", "secrets")


def test_the_node_is_ready_and_labelled(first: Lab) -> None:
    assert " Ready " in first.kubectl("get", "nodes", "-l", "rarus=lms", "--no-headers")


def test_exec_resolves_names_for_its_command_only(first: Lab) -> None:
    before = Path("/etc/hosts").read_bytes()
    assert first.run("getent", "hosts", "rancher.example").stdout.split()[0] == first.facts["names"]["rancher.example"]
    exported = first.run("sh", "-c", "echo $KUBECONFIG $LAB_STATE").stdout.split()
    assert exported == [first.facts["api"]["kubeconfig"], str(first.state / "lab.json")]
    assert Path("/etc/hosts").read_bytes() == before
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("rancher.example", 443)


def test_exec_ends_with_the_exit_code_of_its_command(first: Lab) -> None:
    assert first.run("sh", "-c", "exit 7", check=False).returncode == 7


def test_passwords_lie_in_files_of_their_own(first: Lab) -> None:
    text = (first.state / "lab.json").read_text()
    files = [file for file in (first.state / "secrets").iterdir() if file.name != "htpasswd"]
    assert files
    for file in files:
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.read_text() not in text


# --- registry, pods, names, policies -----------------------------------------------------------------------------------------------------

def test_pods_pull_with_a_login_only_and_reach_everything_by_name(space: Space) -> None:
    script = "for name in postgres.lms-prod.example kubernetes.default.svc.cluster.local; do nslookup $name || exit 1; done; echo resolved"
    space.run("with-login", f"{script}; sleep 600")
    space.run("without", script, login=False)
    space.wait("with-login", "condition=Ready")
    until(lambda: "resolved" in space.kubectl("logs", "with-login"), "names resolve in a pod")
    assert "uid=10001" in space.kubectl("exec", "with-login", "--", "id")
    until(lambda: "authoriz" in space.kubectl("get", "events", "--field-selector=involvedObject.name=without"), "the refused pull")


def test_a_network_policy_is_enforced(space: Space) -> None:
    space.run("server", "busybox httpd -f -p 8080 -h /tmp")
    space.wait("server", "condition=Ready")
    address = space.kubectl("get", "pod", "server", "-o", "jsonpath={.status.podIP}")
    numbers = count()

    def answer_to(app: str) -> str:
        pod = f"{app}-{next(numbers)}"
        space.run(pod, f"exec 3<>/dev/tcp/{address}/8080 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3; true", app=app)
        space.wait(pod, "jsonpath={.status.phase}=Succeeded")
        return space.kubectl("logs", pod)

    assert "404" in answer_to("stranger")
    friend = {"podSelector": {"matchLabels": {"app": "friend"}}}
    friends = {"podSelector": {"matchLabels": {"app": "server"}}, "ingress": [{"from": [friend]}]}
    space.create({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "friends"}, "spec": friends})
    until(lambda: "404" not in answer_to("stranger"), "the stranger is kept out")
    until(lambda: "404" in answer_to("friend"), "the friend is let in")


def test_ingress_and_httproute_take_the_prefix_off(space: Space) -> None:
    ingress = space.lab.facts["ingress"]
    space.run("web", "mkdir -p /tmp/www && echo from the pod >/tmp/www/hello && busybox httpd -f -p 8080 -h /tmp/www")
    space.kubectl("create", "service", "clusterip", "web", "--tcp=8080:8080")
    space.kubectl("create", "secret", "tls", "tls", f"--cert={ingress['cert_file']}", f"--key={ingress['key_file']}")
    space.create(INGRESS, ROUTE)
    for host in ingress["hosts"]:
        until(partial(says_hello, space.lab, host), f"https://{host}/C42/hello")
        assert space.lab.curl(f"https://{host}/C42x/hello", "--write-out", "%{http_code}").stdout.endswith("404")


def says_hello(lab: Lab, host: str) -> bool:
    return lab.curl(f"https://{host}/C42/hello", check=False).stdout == "from the pod\n"


INGRESS = {
    "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
    "metadata": {"name": "web", "annotations": {
        "nginx.ingress.kubernetes.io/use-regex": "true", "nginx.ingress.kubernetes.io/rewrite-target": "/$2",
    }},
    "spec": {
        "ingressClassName": "nginx", "tls": [{"hosts": ["backend.lms-dev.example"], "secretName": "tls"}],
        "rules": [{"host": "backend.lms-dev.example", "http": {"paths": [{
            "path": "/C42(/|$)(.*)", "pathType": "ImplementationSpecific",
            "backend": {"service": {"name": "web", "port": {"number": 8080}}},
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


# --- databases, audit --------------------------------------------------------------------------------------------------------------------

def psql(lab: Lab, major: str, role: str, statement: str, *, password: str | None = None) -> str:
    """What psql answers, its errors included."""
    server = lab.facts["postgres"][major]
    word = password or lab.secret(server[role]["password_file"])
    url = f"postgresql://{server[role]['user']}@{server['host']}:{server['port']}/postgres"
    done = lab.run("psql", url, "-XAtc", statement, env={"PGPASSWORD": word}, check=False)
    return (done.stdout + done.stderr).strip()


def test_postgres_has_two_kinds_of_administrator_and_believes_no_one_without_a_password(first: Lab) -> None:
    rights = "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    assert psql(first, "15", "superuser", rights) == "t|t|t"
    assert psql(first, "15", "createrole", rights) == "f|t|t"
    assert "password authentication failed" in psql(first, "15", "superuser", rights, password="wrong")


def test_postgres_logs_definitions_but_the_lab_told_it_no_password(first: Lab) -> None:
    server = first.facts["postgres"]["15"]
    psql(first, "15", "superuser", "CREATE TABLE definition_is_logged ()")
    log = Path(server["log"]).read_text()
    assert "CREATE TABLE definition_is_logged" in log
    for role in ("superuser", "createrole"):
        assert first.secret(server[role]["password_file"]) not in log


def test_the_audit_log_has_bodies_but_not_those_of_secrets(first: Lab) -> None:
    first.kubectl("create", "configmap", "audited", "--from-literal=word=body-of-the-configmap")
    first.kubectl("create", "secret", "generic", "audited", "--from-literal=word=body-of-the-secret")
    events = [json.loads(line) for line in Path(first.facts["api"]["audit_log"]).read_text().splitlines()]
    written = {event["objectRef"]["resource"]: event for event in events if event.get("objectRef", {}).get("name") == "audited"}
    assert written["configmaps"]["requestObject"]["data"] == {"word": "body-of-the-configmap"}
    assert not written["secrets"].keys() & {"requestObject", "responseObject"}


def test_the_silent_address_swallows_every_packet(first: Lab) -> None:
    with pytest.raises(TimeoutError):
        socket.create_connection((first.facts["names"]["silent.example"], 443), SILENCE_SECONDS)


# --- up again, side by side --------------------------------------------------------------------------------------------------------------

def test_a_second_up_starts_nothing_twice(first: Lab) -> None:
    before = pids(first)
    out = program("up", "--name", FIRST).stdout
    assert pids(first) == before
    assert not [line for line in out.splitlines() if line.split()[0] in before], out


def test_up_brings_back_what_was_killed_and_nothing_else(first: Lab) -> None:
    before = pids(first)
    os.kill(int(before["scheduler"].split()[0]), signal.SIGKILL)
    until(lambda: "not running" in program("status", "--name", FIRST, expect=1).stdout, "status sees it")
    program("up", "--name", FIRST)
    assert [name for name, pid in pids(first).items() if before[name] != pid] == ["scheduler"]
    program("status", "--name", FIRST)


def test_two_labs_stand_side_by_side(first: Lab) -> None:
    try:
        second = start(SECOND)
        assert second.facts["names"].keys() == first.facts["names"].keys()
        assert not set(second.facts["names"].values()) & set(first.facts["names"].values())
        second.kubectl("create", "namespace", "only-second")
        assert "NotFound" in refused(first, "get", "namespace", "only-second")
    finally:
        stop(SECOND)
    program("status", "--name", FIRST)


def test_real_database_servers_are_used_by_address(first: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first lab's servers stand for real ones: the second lab has none, and a client provisioned on it lives in them."""
    postgres, clickhouse = first.facts["postgres"]["15"], first.facts["clickhouse"]
    for kind, login in (("POSTGRES", postgres["superuser"]), ("CLICKHOUSE", clickhouse["admin"])):
        monkeypatch.setenv(f"LMS_LAB_{kind}_USER", login["user"])
        monkeypatch.setenv(f"LMS_LAB_{kind}_PASSWORD", first.secret(login["password_file"]))
    names = first.facts["names"]
    places = ["--postgres-at", names[postgres["host"]], "--clickhouse-at", f"{names[clickhouse['host']]}:{clickhouse['port']}"]
    client = fresh()
    try:
        second = start(SECOND, *places)
        assert {"postgres-way-out", "clickhouse-way-out"} <= set(pids(second))
        assert f"{client} is ready" in second.prepare().provision(client).stdout
        assert psql(first, "15", "superuser", f"SELECT datname FROM pg_database WHERE datname = '{client.lower()}'") == client.lower()
        program("status", "--name", SECOND)
        assert "runs with other databases" in program("up", "--name", SECOND, "--postgres-at", "db.example", expect=1).stderr
    finally:
        stop(SECOND)
    assert left_behind(Lab(SECOND), "") == []


def test_further_majors_and_pretended_nodes_join_a_running_lab(first: Lab) -> None:
    before = pids(first)
    program("up", "--name", FIRST, "--postgres", "13,18", "--kwok", "2")
    assert set(pids(first)) - set(before) == {"postgres-13", "postgres-18", "kwok"}
    joined = Lab(FIRST)  # reads lab.json anew
    extensions = "SELECT name FROM pg_available_extensions WHERE name IN ('pgcrypto', 'uuid-ossp') ORDER BY 1"
    for major in ("13", "18"):
        assert psql(joined, major, "createrole", extensions).split() == ["pgcrypto", "uuid-ossp"]
        assert psql(joined, major, "superuser", "SHOW server_version_num").startswith(major)
    nodes = ["get", "nodes", "-l", "rarus=pretended", "--no-headers"]
    until(lambda: first.kubectl(*nodes).count(" Ready ") == 2, "pretended nodes are ready")
    program("up", "--name", FIRST)
    assert Lab(FIRST).facts["postgres"].keys() == {"13", "15", "18"}


# --- nothing stays behind ----------------------------------------------------------------------------------------------------------------

def of_the_host() -> dict[str, set[str]]:
    """What belongs to the host and no lab may change: mounts, and iptables rules."""
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    return {
        "mounts": set(Path("/proc/self/mountinfo").read_text().splitlines()),
        "rules": {line for line in rules.splitlines() if line.startswith("-")},
    }


def wire(lab: Lab) -> str:
    """The machine's number, never given twice, of the lab's interface; empty where there is none."""
    try:
        return Path(f"/sys/class/net/lms{index(lab)}/ifindex").read_text().strip()
    except OSError:
        return ""


def left_behind(lab: Lab, wire: str) -> list[str]:
    """Everything that is still there of a lab: its folder, processes, interface and cgroups."""
    found = [str(lab.state)] if lab.state.exists() else []
    cgroup = cgroup_of(lab.state)
    signs = [f"{lab.state}/", f"{lab.state}\0", f"/{cgroup}/"]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            about = "".join((folder / file).read_text(errors="replace") for file in ("cmdline", "environ", "cgroup"))
        except OSError:
            continue
        if any(sign in about for sign in signs):
            found.append(f"process {folder.name}: {about[:200]}")
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{cgroup}")]
    return found + [str(file) for file in Path("/sys/class/net").glob("*/ifindex") if file.read_text().strip() == wire]


def up_and_kill(moment: str) -> None:
    """Start a lab, and kill its manager (the `up` itself) when it says that `moment` serves; if empty, when the lab has its number."""
    command = [sys.executable, str(PROGRAM), "up", "--name", KILLED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as manager:
        assert manager.stdout is not None
        if moment:
            seen: list[str] = []
            while not (seen and seen[-1].startswith(moment)):
                line = manager.stdout.readline()
                assert line, f"`up` ended before it said {moment}:\n{''.join(seen)}"
                seen.append(line)
        else:
            until((LABS / KILLED / "settings.json").exists, "the lab has its number")
        manager.kill()


def kill_after(seconds: float, *words: str) -> None:
    """Run the lab's program and kill it after so many seconds, if it still runs."""
    with subprocess.Popen([sys.executable, str(PROGRAM), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as manager:
        with suppress(subprocess.TimeoutExpired):
            manager.wait(seconds)
        manager.kill()


@pytest.mark.parametrize("moment", ["", "etcd", "sandbox image", "kube-apiserver", "kubelet", "coredns", "traefik"])
def test_down_leaves_nothing_after_the_manager_was_killed(moment: str) -> None:
    before = of_the_host()
    killed = Lab(KILLED)
    up_and_kill(moment)
    number = wire(killed)
    stop(KILLED)
    assert number
    assert left_behind(killed, number) == []
    assert of_the_host() == before


@pytest.mark.soak
@pytest.mark.parametrize("tenths", range(1, 100, 3))
def test_down_leaves_nothing_after_kills_at_any_moment_of_up_and_of_down(tenths: int) -> None:
    before = of_the_host()
    killed = Lab(KILLED)
    kill_after(tenths / 10, "up", "--name", KILLED)
    number = wire(killed)
    kill_after(tenths / 50, "down", "--name", KILLED)
    stop(KILLED)
    assert left_behind(killed, number) == []
    assert of_the_host() == before


def test_up_goes_on_where_a_killed_manager_stopped() -> None:
    try:
        up_and_kill("kube-apiserver")
        start(KILLED)
        program("status", "--name", KILLED)
    finally:
        stop(KILLED)


def test_down_of_a_lab_that_never_was_is_no_error() -> None:
    stop(NEVER)
    assert left_behind(Lab(NEVER), "") == []


# --- clear sentences ---------------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("words", "says"), [
    (["up", "--name", "Not A Name"], "--name: 'Not A Name' is no name for a lab"),
    (["status", "--name", NEVER], "lab test-never does not run; start it with"),
    (["exec", "--name", NEVER, "--", "true"], "lab test-never does not run; start it with"),
    (["up", "--postgres", "15,9"], "'15,9' is no list of PostgreSQL majors"),
    (["up", "--name", NEVER, "--clickhouse-at", ":9000"], "--clickhouse-at: ':9000' is no address of a server"),
    (["up", "--name", NEVER, "--postgres-at", "db.example"], "LMS_LAB_POSTGRES_USER and _PASSWORD must hold the login"),
])
def test_mistakes_get_one_clear_sentence(words: list[str], says: str) -> None:
    done = program(*words, expect=None)
    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_logs_shows_a_component_and_names_all_for_an_unknown_one(first: Lab) -> None:
    assert "Traefik" in program("logs", "--name", FIRST, "traefik").stdout
    assert " LOG:  " in program("logs", "--name", FIRST, "postgres-15").stdout
    assert "kube-apiserver" in program("logs", "--name", FIRST, "nonsense", expect=1).stderr


GIB = 1 << 30


GOOD = machine.Facts(system="linux", architecture="x86_64", user=0, memory=8 * GIB, disk=50 * GIB, disk_path="/var")


@pytest.mark.parametrize(("changed", "says"), [
    ({"system": "darwin"}, "runs on Linux on amd64, and this is darwin on x86_64"),
    ({"architecture": "aarch64"}, "runs on Linux on amd64, and this is linux on aarch64"),
    ({"user": 1000}, "must be root, not user 1000; use sudo"),
    ({"memory": GIB}, "needs 3.0 GiB of free memory, this machine has 1.0 GiB"),
    ({"disk": 2 * GIB}, "needs 5.0 GiB of free disk at /var, there are 2.0 GiB"),
])
def test_a_machine_that_cannot_carry_a_lab_is_told_so(changed: dict[str, Any], says: str) -> None:
    found = replace(GOOD, **changed)
    with pytest.raises(LabError, match=says):
        machine.check_kind(found)
        machine.check_room(found)


def test_a_machine_with_room_is_taken() -> None:
    machine.check_kind(GOOD)
    machine.check_room(GOOD)


def test_a_component_that_fails_shows_its_own_last_lines(first: Lab) -> None:
    layout = Layout(FIRST, index(first), first.state, Path(first.facts["bin"]))
    broken = processes.Component("broken", ["sh", "-c", "echo no such luck; exit 3"], lambda: False)
    with pytest.raises(LabError, match=r"broken ended; the last lines of .*broken\.log:\nno such luck"):
        processes.Start(layout, lambda line: None).run([broken])
