"""The stand-in of the LMS back end: it stops at the first wrong variable and names it, and serves when all of them are right."""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import build
import pytest
from support.certificates import Authority
from support.clickhouse_server import running

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
PASSWORD = "canary-password"
SEED = "0123456789abcdef" * 8
PATIENCE = 30.0  # seconds
POLL = 0.05  # seconds
HTTP_TIMEOUT = 10  # seconds


def until(true: Callable[[], Any], what: str) -> Any:
    """Wait until `true` returns something true, and return that."""
    deadline = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(POLL)
    return found


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture(scope="module")
def program() -> Path:
    return build.ensure(["lms-backend"], report=print) / "lms-backend"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of all kinds, and a folder of static files."""
    made = tmp_path_factory.mktemp("backend")
    (made / "static").mkdir()
    kinds = {
        "rsa": ["genrsa", "2048"], "small": ["genrsa", "1024"], "ec": ["ecparam", "-name", "prime256v1", "-genkey", "-noout"],
        "ec8": ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        "encrypted": ["genrsa", "-aes256", "-passout", "pass:x", "2048"], "rsa1": ["genrsa", "-traditional", "2048"],
    }
    for name, arguments in kinds.items():
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True)
        (made / name).write_text(done.stdout)
    (made / "text").write_text("no key at all\n")
    return made


def right(folder: Path, *, postgres: str = "127.0.0.1:1", clickhouse: str = "127.0.0.1:1", port: str = "8080") -> dict[str, str]:
    """Variables of section 7, all of them in order."""
    return {
        "LMS_CLIENT_ID": "C42", "LMS_SERVER_DEBUG": "true", "LMS_SERVER_PORT": f":{port}", "LMS_SERVER_STATIC": str(folder / "static"),
        "LMS_KEYS_SECRET_SEED": SEED, "LMS_KEYS_TOKEN_TTL_HOURS": "8", "LMS_KEYS_PRIVATE_KEY_PATH": str(folder / "rsa"),
        "LMS_LOGS_DIRECTORY": "logs", "LMS_LOGS_FILENAME": "log.log", "LMS_LOGS_LOG_TO_FILE": "false", "LMS_LOGS_MAX_AGE_DAY": "1",
        "LMS_LOGS_MAX_BACKUPS": "3", "LMS_LOGS_MAX_SIZE_MB": "1", "LMS_NOTIFICATIONS_SMS4B_PASSCODE_LIFETIME": "120",
        "LMS_NOTIFICATIONS_SMS4B_SENDER": "1C-RARUS", "LMS_NOTIFICATIONS_SMS4B_TOKEN": "canary-token",
        "LMS_STORAGE_CLICKHOUSE_DEMO": "internal/server/demodata/clickhouse",
        "LMS_STORAGE_CLICKHOUSE_MIGRATIONS": "file://internal/server/migrations/clickhouse",
        "LMS_STORAGE_CLICKHOUSE_DSN": f"clickhouse://c42:{PASSWORD}@{clickhouse}/c42",
        "LMS_STORAGE_CLICKHOUSE_INTERVAL_MS": "100", "LMS_STORAGE_CLICKHOUSE_UPDATE_ATTEMPTS": "3",
        "LMS_STORAGE_POSTGRES_DEMO": "internal/server/demodata/postgres",
        "LMS_STORAGE_POSTGRES_MIGRATIONS": "file://internal/server/migrations/postgres",
        "LMS_STORAGE_POSTGRES_DSN": f"postgres://c42:{PASSWORD}@{postgres}/c42?sslmode=disable",
        "LMS_STORAGE_POSTGRES_INTERVAL_MS": "100", "LMS_STORAGE_POSTGRES_UPDATE_ATTEMPTS": "3",
    }


def ended(program: Path, env: dict[str, str]) -> str:
    """What the back end says when it ends with exit code 1; it must be one line without a secret."""
    done = subprocess.run([str(program)], env=env, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert not re.search(rf"canary|{SEED[:16]}", done.stderr)
    return done.stderr.removeprefix("lms-backend: ").strip()


def test_every_variable_is_needed(program: Path, folder: Path) -> None:
    for name in right(folder):
        without = {key: value for key, value in right(folder).items() if key != name}
        assert ended(program, without) == f"{name}: is not set"
        assert ended(program, {**without, name: ""}) == f"{name}: is empty"


@pytest.mark.parametrize(("name", "value", "says"), [
    ("LMS_CLIENT_ID", "c42", 'is "c42"; C and a number such as C42 is expected'),
    ("LMS_SERVER_PORT", ": 8080", 'is ": 8080"; a colon and a port such as :8080 is expected'),
    ("LMS_SERVER_DEBUG", "yes", 'is "yes"; true or false is expected'),
    ("LMS_SERVER_STATIC", "/nowhere", 'is "/nowhere"; an existing folder by its absolute path is expected'),
    ("LMS_KEYS_SECRET_SEED", SEED[:-1], "has 127 characters that are not 128 hexadecimal digits"),
    ("LMS_KEYS_SECRET_SEED", SEED[:-1] + "g", "has 128 characters that are not 128 hexadecimal digits"),
    ("LMS_KEYS_TOKEN_TTL_HOURS", "eight", 'is "eight"; a whole number of at least 1 is expected'),
    ("LMS_KEYS_TOKEN_TTL_HOURS", "0", 'is "0"; a whole number of at least 1 is expected'),
    ("LMS_LOGS_LOG_TO_FILE", "False", 'is "False"; true or false is expected'),
    ("LMS_STORAGE_POSTGRES_MIGRATIONS", "file: //internal/migrations/postgres", "file://<folder>/postgres is expected"),
    ("LMS_STORAGE_POSTGRES_DSN", "postgres://c42:$(POSTGRES_PASSWORD)@h:5432/c42", "still holds the reference $(POSTGRES_PASSWORD)"),
    ("LMS_STORAGE_POSTGRES_DSN", "postgres://c42:canary%@h:5432/c42", "is not a URL"),
    ("LMS_STORAGE_POSTGRES_DSN", "postgres://c42@h:5432/c42", "holds no password"),
    ("LMS_STORAGE_POSTGRES_DSN", "postgres://c42:canary@h/c42", "names no host with its port"),
    ("LMS_STORAGE_CLICKHOUSE_DSN", "http://c42:canary@h:9000/c42", 'begins with "http"; clickhouse:// is expected'),
    ("LMS_STORAGE_CLICKHOUSE_DSN", "clickhouse://c42:canary@h:9000", "names no database"),
    ("LMS_NOTIFICATIONS_SMS4B_TOKEN", "canary-token\n", "begins or ends with white space"),
    ("LAB_CRASH", "soon", 'is "soon"'),
])
def test_a_wrong_variable_is_named(program: Path, folder: Path, name: str, value: str, says: str) -> None:
    assert ended(program, {**right(folder), name: value}).startswith(f"{name}: ")
    assert says in ended(program, {**right(folder), name: value})


@pytest.mark.parametrize(("key", "says"), [
    ("missing", "cannot be read"), ("text", "is not PEM"), ("small", "has 1024 bits; at least 2048 are expected"),
    ("ec8", "is not an RSA key"),
    ("ec", 'is PEM of type "EC PRIVATE KEY"'), ("encrypted", 'is PEM of type "ENCRYPTED PRIVATE KEY"'),
])
def test_a_wrong_key_is_named(program: Path, folder: Path, key: str, says: str) -> None:
    assert says in ended(program, {**right(folder), "LMS_KEYS_PRIVATE_KEY_PATH": str(folder / key)})


def test_a_database_that_is_away_is_named(program: Path, folder: Path) -> None:
    assert ended(program, right(folder)).startswith("LMS_STORAGE_POSTGRES_DSN: cannot log in")


# --- with both databases -----------------------------------------------------------------------------------------------------------------

@contextmanager
def postgres_server() -> Iterator[str]:
    """A PostgreSQL on the loopback with database c42, and c43 which lacks the extensions; yields its address."""
    home, port = Path(tempfile.mkdtemp(prefix="lms-backend-", dir="/var/tmp")), free_port()
    (home / "password").write_text(PASSWORD)
    for path in (home, home / "password"):
        shutil.chown(path, "postgres", "postgres")
    as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
    initdb = [str(PROGRAMS / "initdb"), f"--pgdata={home}/data", "--username=postgres", "--auth=scram-sha-256", "--no-sync"]
    subprocess.run([*as_owner, *initdb, f"--pwfile={home}/password"], capture_output=True, check=True)
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", "unix_socket_directories=", "-c", "fsync=off"]
    with (home / "log").open("w") as log:
        server = subprocess.Popen([*as_owner, str(PROGRAMS / "postgres"), "-D", f"{home}/data", *options], stderr=log)
    psql = [str(PROGRAMS / "psql"), "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-q"]
    env = {"PGPASSWORD": PASSWORD, "PATH": os.environ["PATH"]}
    try:
        until(lambda: subprocess.run([*psql, "-c", ""], env=env, capture_output=True, check=False).returncode == 0, "PostgreSQL serves")
        setup = f"""CREATE ROLE c42 LOGIN PASSWORD '{PASSWORD}';
            CREATE DATABASE c42 OWNER c42; CREATE DATABASE c43 OWNER c42;
            \\c c42
            CREATE EXTENSION pgcrypto; CREATE EXTENSION "uuid-ossp";"""
        subprocess.run(psql, input="\n".join(line.strip() for line in setup.splitlines()), env=env, text=True, check=True)
        yield f"127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(PATIENCE)
        shutil.rmtree(home)


@contextmanager
def clickhouse_server(folder: Path, certificate: Path | None = None) -> Iterator[str]:
    """A ClickHouse on the loopback with database and user c42; yields its address."""
    with running(folder, [PASSWORD], certificate=certificate) as server:
        for statement in ("CREATE DATABASE c42", f"CREATE USER c42 IDENTIFIED BY '{PASSWORD}'", "GRANT ALL ON c42.* TO c42"):
            server.ask(statement)
        yield f"127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with postgres_server() as postgres, clickhouse_server(tmp_path_factory.mktemp("databases")) as clickhouse:
        yield {"postgres": postgres, "clickhouse": clickhouse}


@contextmanager
def serving(program: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([str(program)], env=env, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def get(env: dict[str, str], path: str) -> tuple[int, Any]:
    """Status and JSON; status 0 where nothing listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1{env['LMS_SERVER_PORT']}{path}", timeout=HTTP_TIMEOUT) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, None


@pytest.mark.parametrize("key", ["rsa", "rsa1"])
def test_it_serves_and_drains(program: Path, folder: Path, databases: dict[str, str], key: str) -> None:
    env = {**right(folder, **databases, port=free_port()), "LMS_KEYS_PRIVATE_KEY_PATH": str(folder / key), "LMS_BACKEND_VERSION": "2.0"}
    with serving(program, env) as process:
        until(lambda: get(env, "/healthz")[0] == 200, "the back end serves")
        status, said = get(env, "/some/path")
        assert (status, said.pop("hostname")) == (200, socket.gethostname())
        assert said == {"client": "C42", "version": "2.0", "path": "/some/path", "databases": {"postgres": True, "clickhouse": True}}
        logins = get(env, "/db")[1]
        assert [(who["user"], who["database"]) for who in logins.values()] == [("c42", "c42"), ("c42", "c42")]
        assert get(env, "/echo?a=b")[1]["query"] == "a=b"
        process.terminate()
        assert get(env, "/echo")[0] == 200  # it goes on accepting for a while
        assert process.wait(PATIENCE) == 0


def test_extensions_and_passwords_are_tried(program: Path, folder: Path, databases: dict[str, str]) -> None:
    env = right(folder, **databases)
    name = "LMS_STORAGE_POSTGRES_DSN"
    assert "the database cannot be used" in ended(program, {**env, name: env[name].replace("/c42?", "/c43?")})
    assert "password authentication failed" in ended(program, {**env, name: env[name].replace(PASSWORD, "canary-wrong")})
    name = "LMS_STORAGE_CLICKHOUSE_DSN"
    assert "516" in ended(program, {**env, name: env[name].replace(PASSWORD, "canary-wrong")})
    assert "81" in ended(program, {**env, name: env[name].removesuffix("c42") + "c43"})


def test_clickhouse_by_tls_is_trusted_by_a_folder_of_authorities(
    program: Path, folder: Path, databases: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "trusted").mkdir()
    certificate = Authority.make(tmp_path / "trusted" / "ca.crt").issue(tmp_path / "server.pem")
    with clickhouse_server(tmp_path, certificate) as secure:
        env, name = right(folder, postgres=databases["postgres"], clickhouse=secure, port=free_port()), "LMS_STORAGE_CLICKHOUSE_DSN"
        assert ended(program, env).startswith(f"{name}: cannot log in")
        env[name] += "?secure=true"
        assert "certificate signed by unknown authority" in ended(program, env)
        env["SSL_CERT_DIR"] = f"/etc/ssl/certs:{tmp_path / 'trusted'}"  # as lms-config has it
        with serving(program, env):
            until(lambda: get(env, "/db")[0] == 200, "both databases are logged in to")


def test_it_misbehaves_as_asked(program: Path, folder: Path, databases: dict[str, str]) -> None:
    env = right(folder, **databases, port=free_port())
    crashed = subprocess.run([str(program)], env={**env, "LAB_CRASH": "3 after 0"}, capture_output=True, check=False, timeout=PATIENCE)
    assert crashed.returncode == 3
    with serving(program, {**env, "LAB_FAIL_READY": "http"}):
        until(lambda: get(env, "/healthz")[0] == 503, "the probe fails")
        assert get(env, "/")[0] == 200
    with serving(program, {**env, "LAB_LOSE_DATABASE": "1"}):
        until(lambda: get(env, "/db")[0] == 200, "the databases are there")
        until(lambda: get(env, "/db")[0] == 503, "the databases are lost")
        assert get(env, "/")[1]["databases"] == {"postgres": False, "clickhouse": False}
    with serving(program, {**env, "LAB_FAIL_READY": "true"}) as process:
        assert process.stderr is not None
        said = process.stderr
        until(lambda: b"LAB_FAIL_READY" in said.readline(), "it says that its port stays closed")
        assert get(env, "/")[0] == 0
    with serving(program, {**env, "LAB_EAT_MEMORY": "200"}) as process:
        status = Path(f"/proc/{process.pid}/status")
        until(lambda: int(re.findall(r"VmRSS:\s+(\d+) kB", status.read_text())[0]) > 200 << 10, "200 MiB are taken, every page of them")
        until(lambda: get(env, "/")[0] == 200, "it serves")
    with serving(program, {**env, "LAB_SLOW_START": "1"}):
        begun = time.monotonic()
        until(lambda: get(env, "/")[0] == 200, "it serves late")
        assert time.monotonic() - begun >= 1
