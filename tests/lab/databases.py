"""PostgreSQL, one server a major, and the ClickHouse stand-in: components, roles and passwords.

Every server is reached by password alone (no trust, no peer), and logs every definition, so that tests can prove that no password is told.
"""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import commands
import probes
from clickhouse import install
from layout import DEBIAN_MAJOR, Lab, LabError, Server, cache_root
from processes import SYSTEM_PATH, Component, Part, Report, Step

DEBIAN_PROGRAMS = Path(f"/usr/lib/postgresql/{DEBIAN_MAJOR}/bin")
OWNER = "postgres"
SUPERUSER = "postgres"
CREATEROLE = "lms_admin"
POSTGRES_PORT = 5432
CLICKHOUSE_PORT = 9000
CLICKHOUSE_SECRET = "clickhouse-admin"
SETTINGS = {
    "max_connections": "300",
    "shared_buffers": "32MB",
    "password_encryption": "scram-sha-256",
    "log_statement": "ddl",
    "log_connections": "on",
    "log_line_prefix": "%m [%p] %u@%d ",
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "256MB",
}
HBA = "local all all scram-sha-256\nhost all all 0.0.0.0/0 scram-sha-256\n"


def parts(lab: Lab) -> list[Part]:
    found: list[Part] = []
    for major in lab.majors:
        if major == DEBIAN_MAJOR and "postgres" in lab.servers:
            found += _way_to("postgres", lab, f"postgres-{major}", lab.postgres(major), POSTGRES_PORT)
            continue
        server = _postgres(lab, major)
        found += [server, Step(f"roles of {server.name}", partial(_make_roles, lab, major), needs=[server.name], once=True)]
    if "clickhouse" in lab.servers:
        return [*found, *_way_to("clickhouse", lab, "clickhouse", lab.clickhouse, CLICKHOUSE_PORT)]
    return [*found, _clickhouse(lab)]


def server_given(kind: str, text: str) -> tuple[Server, str]:
    """The real server that HOST or HOST:PORT names, and its administrator's password, from the environment. Raises LabError."""
    host, _colon, port = text.partition(":")
    user, password = (os.environ.get(f"LMS_LAB_{kind.upper()}_{part}", "") for part in ("USER", "PASSWORD"))
    if not host or not (port or "1").isdigit():
        raise LabError(f"--{kind}-at: {text!r} is no address of a server; expected HOST or HOST:PORT.")
    if not user or not password:
        raise LabError(f"--{kind}-at: LMS_LAB_{kind.upper()}_USER and _PASSWORD must hold the login of that server's administrator.")
    return Server(host, int(port or {"postgres": POSTGRES_PORT, "clickhouse": CLICKHOUSE_PORT}[kind]), user), password


def admin_secret(kind: str) -> str:
    """The name of the password of the administrator of the server that stands in for a kind."""
    return {"postgres": superuser_secret(DEBIAN_MAJOR), "clickhouse": CLICKHOUSE_SECRET}[kind]


def _way_to(kind: str, lab: Lab, name: str, address: str, port: int) -> list[Component]:
    """The way to a real server, under the name and at the address that the lab's own would have."""
    server, middle = lab.servers[kind], str(lab.path("run", f"{kind}.sock"))
    program = [sys.executable, str(Path(__file__).with_name("forward.py"))]
    out = Component(
        f"{kind}-way-out", [*program, middle, f"{server.host}:{server.port}"], lambda: probes.listens(Path(middle)), in_host_network=True
    )
    return [out, Component(name, [*program, f"{address}:{port}", middle], lambda: probes.stays(address, port), needs=[out.name])]


def programs(lab: Lab, major: str) -> Path:
    """The folder of a major's server programs: Debian's for its own major, else the lab's copy of the built part."""
    return DEBIAN_PROGRAMS if major == DEBIAN_MAJOR else lab.path("postgres", f"{major}-programs", "bin")


def _copy_programs(lab: Lab, major: str) -> None:
    """Copy a built major into the lab: the servers' user cannot enter a cache below /root."""
    home = programs(lab, major).parent
    if major != DEBIAN_MAJOR and not home.exists():
        partial = home.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(lab.bin / f"postgres-{major}", partial, symlinks=True)
        partial.rename(home)


def superuser_secret(major: str) -> str:
    return f"postgres-{major}-superuser"


def createrole_secret(major: str) -> str:
    return f"postgres-{major}-createrole"


def secret_names(lab: Lab) -> list[str]:
    """Names of the passwords that must exist before the databases start."""
    return [name(major) for major in lab.majors for name in (superuser_secret, createrole_secret)] + [CLICKHOUSE_SECRET]


def describe_postgres(lab: Lab, major: str) -> dict[str, object]:
    """The entry of one major in lab.json."""
    def login(user: str, secret: str) -> dict[str, str]:
        return {"user": user, "password_file": str(lab.secret_file(secret))}

    real = lab.servers.get("postgres") if major == DEBIAN_MAJOR else None
    superuser = login(real.user if real else SUPERUSER, superuser_secret(major))
    return {
        "host": "postgres.lms-dev.example" if major == DEBIAN_MAJOR else f"postgres-{major}.example",
        "port": POSTGRES_PORT,
        "superuser": superuser,
        "createrole": superuser if real else login(CREATEROLE, createrole_secret(major)),
        "log": str(lab.log(f"postgres-{major}")),
    }


def describe_clickhouse(lab: Lab) -> dict[str, object]:
    """The entry of ClickHouse in lab.json."""
    real = lab.servers.get("clickhouse")
    admin = {"user": real.user if real else "default", "password_file": str(lab.secret_file(CLICKHOUSE_SECRET))}
    return {"host": "clickhouse.lms-dev.example", "port": CLICKHOUSE_PORT, "admin": admin, "log": str(lab.log("clickhouse"))}


# --- PostgreSQL --------------------------------------------------------------------------------------------------------------------------

def _postgres(lab: Lab, major: str) -> Component:
    data = lab.path("postgres", major)
    settings = {**SETTINGS, "listen_addresses": lab.postgres(major), "unix_socket_directories": ""}
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    return Component(
        f"postgres-{major}",
        [str(programs(lab, major) / "postgres"), "-D", str(data), *options],
        lambda: _psql(lab, major, "SELECT 1").returncode == 0,
        prepare=lambda: _init(lab, major),
        user=OWNER,
    )


def _init(lab: Lab, major: str) -> None:
    """Make the data folder, unless a start before this one did; half a folder is made again."""
    data = lab.path("postgres", major)
    if (data / "pg_hba.conf.done").exists():
        return
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    _copy_programs(lab, major)
    shutil.chown(data, OWNER, OWNER)
    data.chmod(0o700)
    password = data.with_suffix(".password")
    password.touch(mode=0o600)
    shutil.chown(password, OWNER, OWNER)
    password.write_text(lab.secret(superuser_secret(major)))
    argv = [
        "setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--init-groups", "--", str(programs(lab, major) / "initdb"), f"--pgdata={data}",
        f"--username={SUPERUSER}", f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync",
    ]
    commands.run(argv, f"initdb of PostgreSQL {major} failed (its user {OWNER} must be able to enter {lab.state})")
    password.unlink()
    (data / "pg_hba.conf").write_text(HBA)
    (data / "pg_hba.conf.done").touch()


def _psql(lab: Lab, major: str, statements: str) -> subprocess.CompletedProcess[str]:
    """Run statements as the superuser; the password goes by the environment of this one process."""
    argv = [
        str(DEBIAN_PROGRAMS / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--host={lab.postgres(major)}",
        f"--username={SUPERUSER}", "--dbname=postgres", "--file=-",
    ]
    env = {"PGPASSWORD": lab.secret(superuser_secret(major)), "PGCONNECT_TIMEOUT": "2", "PATH": SYSTEM_PATH}
    return commands.attempt(argv, text=statements, env=env)


def _make_roles(lab: Lab, major: str) -> None:
    """The administrator who has only CREATEROLE and CREATEDB."""
    secret = lab.secret(createrole_secret(major))
    statements = f"""SET log_statement = 'none';
SELECT 'CREATE ROLE {CREATEROLE}' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{CREATEROLE}') \\gexec
ALTER ROLE {CREATEROLE} LOGIN CREATEROLE CREATEDB NOSUPERUSER PASSWORD '{secret}';
"""
    done = _psql(lab, major, statements)
    if done.returncode:
        raise LabError(f"the role {CREATEROLE} could not be made in PostgreSQL {major}: {done.stderr.strip()}")


# --- ClickHouse --------------------------------------------------------------------------------------------------------------------------

def ensure_engine(report: Report) -> Path:
    """The Python that the stand-in runs in; made in the cache by the first call."""
    return install.ensure(cache_root(), report)


def _clickhouse(lab: Lab) -> Component:
    argv = install.command(
        ensure_engine(lambda line: None), listen=lab.clickhouse, port=CLICKHOUSE_PORT, state=lab.path("clickhouse"),
        admin_password_file=lab.secret_file(CLICKHOUSE_SECRET),
    )
    return Component("clickhouse", argv, lambda: probes.accepts(lab.clickhouse, CLICKHOUSE_PORT))
