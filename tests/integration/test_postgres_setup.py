# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script of the PostgreSQL Job, run as the Job runs it, against real servers of each major: Debian's own, and the lab's."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import build
import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.credentials import scram_verifier
from databases import DEBIAN_PROGRAMS, OWNER
from layout import DEBIAN_MAJOR
from support.certificates import Authority
from support.setup_jobs import REFUSED, Ran, SetupJob, run

MAJORS = ("13", "15", "16", "18")
# What a password may hold, and what breaks a script that quotes badly.
AWKWARD = r"""p:w\1 'x' "y" $HOME `id` %s ;--"""
ADMINS = ("superuser", "createrole")
DEFINITIONS = ("CREATE ", "ALTER ", "COMMENT ", "GRANT ", "REVOKE ", "DROP ")


def _programs(major: str) -> Path:
    """Return the folder of a server: Debian's, or the lab's, which is fetched where the cache lacks it."""
    if major != DEBIAN_MAJOR:
        return build.ensure([f"postgres-{major}"], report=print) / f"postgres-{major}"
    programs = DEBIAN_PROGRAMS.parent
    assert (DEBIAN_PROGRAMS / "initdb").exists(), f"no PostgreSQL server in {programs}: apt-get install postgresql"
    return programs


def _as_owner(*argv: str) -> None:
    done = run(["runuser", "-u", OWNER, "--", *argv], cwd="/")
    assert done.returncode == 0, done.stderr + done.stdout


@dataclass
class Server:
    """One PostgreSQL server of the test's own: on a free port, with a superuser and an administrator who has CREATEROLE and CREATEDB."""

    home: Path
    port: int
    authority: str
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.home / "server.log"

    def psql(
        self, statements: str, *, user: str = OWNER, password: str = AWKWARD, database: str = "postgres"
    ) -> subprocess.CompletedProcess[str]:
        """Run statements with a login by password; rows come as text with | between."""
        argv = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--host=127.0.0.1"]
        env = {**os.environ, "PGPASSWORD": password, "PGCONNECT_TIMEOUT": "5"}
        return run([*argv, f"--port={self.port}", f"--username={user}", f"--dbname={database}"], input=statements, env=env)

    def ask(self, statements: str, **login: str) -> str:
        done = self.psql(statements, **login)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def definitions(self) -> int:
        """Return how many definitions the server was sent so far."""
        return sum(
            1
            for line in self.log.read_text().splitlines()
            if "statement: " in line and line.split("statement: ")[1].startswith(DEFINITIONS)
        )


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module", params=MAJORS)
def server(request: pytest.FixtureRequest) -> t.Iterator[Server]:
    """Yield a started server of each major; its programs are copied, since its user may not enter a cache below /root."""
    home = Path(tempfile.mkdtemp(prefix=f"rarus-lms-postgres-{request.param}-"))
    home.chmod(0o755)
    given = _programs(request.param)
    programs = given if request.param == DEBIAN_MAJOR else Path(shutil.copytree(given, home / "programs", symlinks=True))
    data, password = home / "data", home / "password"
    certificate = Authority.make(home / "ca.pem").issue(home / "server.pem")
    certificate.chmod(0o600)
    data.mkdir()
    password.write_text(AWKWARD + "\n")
    started = Server(home, _free_port(), (home / "ca.pem").read_text())
    started.log.touch()
    for path in (data, password, certificate, started.log):
        shutil.chown(path, OWNER, OWNER)
    tool = str(programs / "bin")
    _as_owner(
        f"{tool}/initdb",
        f"--pgdata={data}",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    )
    options = f"-c listen_addresses=127.0.0.1 -c port={started.port} -c unix_socket_directories= -c fsync=off -c log_statement=ddl"
    options += f" -c ssl=on -c ssl_cert_file={certificate} -c ssl_key_file={certificate}"
    _as_owner(f"{tool}/pg_ctl", "start", "--wait", f"--pgdata={data}", f"--log={started.log}", f"--options={options}")
    try:
        started.ask(
            "CREATE ROLE lms_admin LOGIN CREATEROLE CREATEDB PASSWORD :'password'".replace(
                ":'password'", "'" + AWKWARD.replace("'", "''") + "'"
            )
        )
        yield started
    finally:
        _as_owner(f"{tool}/pg_ctl", "stop", "--mode=immediate", "--wait", f"--pgdata={data}")
        shutil.rmtree(home)


@dataclass
class Job:
    """One client's Job, run in a folder that stands for /run/lms, by one of the two administrators.

    password and login are in use; coming and leaving are the (login, password) that a rotation adds; told is what the last run has left.
    authority: what ConfigMap postgres_ca holds.
    """

    server: Server
    admin: str
    client: ClientId
    settings: dict[str, t.Any] = field(default_factory=dict)
    password: str = "clientpassword"
    login: str = ""
    coming: tuple[str, str] | None = None
    leaving: tuple[str, str] | None = None
    told: str = ""
    wanted: str = ""
    authority: str = ""

    @property
    def admin_user(self) -> str:
        return OWNER if self.admin == "superuser" else "lms_admin"

    def run(self) -> Ran:
        job = SetupJob("postgres", self.client, {"lms_postgres_port": self.server.port, **self.settings})
        login = self.login or job.settings["database_prefix"] + self.client.name
        done = job.run(self._files(login), wanted=self.wanted, secrets=(self.password, AWKWARD))
        self.told = done.told
        return done

    def _files(self, login: str) -> dict[str, str]:
        files = {"admin/user": self.admin_user, "admin/password": AWKWARD}
        for slot, given in (("", (login, self.password)), ("next-", self.coming), ("previous-", self.leaving)):
            if given:
                files[f"credentials/postgres-{slot}user"], password = given
                files[f"credentials/postgres-{slot}verifier"] = scram_verifier(password, b"0123456789abcdef")
                if slot != "previous-":
                    files[f"credentials/postgres-{slot}password"] = password
        if self.authority:
            files["ca/ca.crt"] = self.authority
        return {name: content + "\n" for name, content in files.items()}


NUMBERS = iter(range(100, 10_000))


@pytest.fixture(params=ADMINS)
def job(request: pytest.FixtureRequest, server: Server) -> Job:
    """Return the Job of a client that no test had before."""
    return Job(server, request.param, ClientId(next(NUMBERS)))


def test_makes_a_role_and_a_database_that_the_client_can_use(job: Job) -> None:
    done = job.run()
    assert done.returncode == 0, done.stderr
    name = job.client.name
    login = {"user": name, "password": job.password, "database": name}
    assert job.server.ask("SELECT current_user, current_database()", **login) == f"{name}|{name}"
    assert job.server.ask("SELECT encode(digest('lms', 'sha256'), 'hex') <> '', uuid_generate_v4() IS NOT NULL", **login) == "t|t"
    job.server.ask("CREATE TABLE lessons (id int); CREATE SCHEMA own; CREATE TEMPORARY TABLE t (id int)", **login)
    attributes = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolcanlogin"
    assert job.server.ask(f"SELECT {attributes} FROM pg_roles WHERE rolname = '{name}'") == "f|f|f|f|f|t"
    mark = f"rarus.lms catalogue=lms-dev client={job.client.id}"
    marks = "shobj_description(r.oid, 'pg_authid'), shobj_description(d.oid, 'pg_database')"
    assert (
        job.server.ask(f"SELECT {marks} FROM pg_roles r, pg_database d WHERE rolname = '{name}' AND datname = rolname") == f"{mark}|{mark}"
    )


def test_no_other_client_gets_in(job: Job) -> None:
    other = Job(job.server, job.admin, ClientId(next(NUMBERS)), password="otherpassword")
    assert job.run().returncode == other.run().returncode == 0
    refused = job.server.psql("SELECT 1", user=other.client.name, password=other.password, database=job.client.name)
    assert refused.returncode != 0
    assert f'permission denied for database "{job.client.name}"' in refused.stderr
    wrong = job.server.psql("SELECT 1", user=job.client.name, password=other.password, database=job.client.name)
    assert "password authentication failed" in wrong.stderr


def test_a_second_run_changes_nothing(job: Job) -> None:
    assert job.run().returncode == 0
    before = job.server.definitions()
    again = job.run()
    assert again.returncode == 0, again.stderr
    assert (job.server.definitions() - before, job.told) == (0, "")


def test_a_new_verifier_is_taken(job: Job) -> None:
    assert job.run().returncode == 0
    job.password = "anotherpassword"
    assert job.run().returncode == 0
    login = {"user": job.client.name, "database": job.client.name}
    assert job.server.ask("SELECT 1", password="anotherpassword", **login) == "1"
    assert job.server.psql("SELECT 1", password="clientpassword", **login).returncode != 0


def test_a_password_that_differs_is_repaired_and_told(job: Job) -> None:
    assert job.run().returncode == 0
    name = job.client.name
    job.server.ask(f"ALTER ROLE {name} PASSWORD 'somebodyelses'")
    done = job.run()
    sentence = f"repaired: the password of {name} in PostgreSQL differed from the Secret"
    assert sentence in done.stdout.splitlines()
    assert job.told == sentence + "\n"
    assert job.server.ask("SELECT 1", user=name, password=job.password, database=name) == "1"
    assert (job.run().returncode, job.told) == (0, "")


@dataclass
class Rotation:
    """A client's Job taken through a rotation, as the Secret says it step by step."""

    job: Job
    in_use: tuple[str, str]

    def step(self, *, coming: tuple[str, str] | None = None, leaving: tuple[str, str] | None = None) -> int:
        """Run the Job; return how many definitions that took."""
        before = self.job.server.definitions()
        self.job.login, self.job.password = self.in_use
        self.job.coming, self.job.leaving = coming, leaving
        done = self.job.run()
        assert done.returncode == 0, done.stderr
        assert (self.job.told, "differed" in done.stdout) == ("", False)
        return self.job.server.definitions() - before

    def opens(self, login: tuple[str, str]) -> bool:
        """Return whether a login is let in; it must act as the owner then."""
        user, password = login
        name = self.job.client.name
        done = self.job.server.psql("SELECT session_user, current_user", user=user, password=password, database=name)
        assert done.returncode != 0 or done.stdout.strip() == f"{user}|{name}"
        return done.returncode == 0

    def turn(self, following: tuple[str, str]) -> None:
        """Rotate to another login."""
        former = self.in_use
        self.step(coming=following)
        assert self.opens(former)
        assert self.opens(following)
        self.in_use = following
        assert self.step(leaving=former) == 0, "the databases know both already"
        assert self.opens(former)
        self.step()
        assert not self.opens(former)
        assert self.opens(following)
        assert self.step() == 0


def test_logins_take_turns_and_one_of_them_owns_everything(job: Job) -> None:
    name = job.client.name
    rotation = Rotation(job, (name, "password1"))
    rotation.step()
    rotation.turn((f"{name}_b", "password2"))
    as_second = {"user": f"{name}_b", "password": "password2", "database": name}
    job.server.ask("CREATE TABLE lessons (id int); INSERT INTO lessons VALUES (1)", **as_second)
    assert job.server.ask("SELECT tableowner FROM pg_tables WHERE tablename = 'lessons'", **as_second) == name
    rotation.turn((name, "password3"))
    assert job.server.ask("SELECT id FROM lessons; DROP TABLE lessons", user=name, password="password3", database=name) == "1"
    rotation.turn((f"{name}_b", "password4"))
    attributes = "rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolcanlogin"
    mark = f"rarus.lms catalogue=lms-dev client={job.client.id}"
    assert job.server.ask(f"SELECT {attributes}, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = '{name}_b'") == (
        f"f|f|f|f|f|t|{mark}"
    )


def test_who_came_in_by_a_login_that_is_closed_has_to_leave(job: Job) -> None:
    name = job.client.name
    rotation = Rotation(job, (name, "password1"))
    rotation.step()
    argv = ["psql", "--no-psqlrc", "--host=127.0.0.1", f"--port={job.server.port}", f"--username={name}", f"--dbname={name}"]
    env = {**os.environ, "PGPASSWORD": "password1"}
    argv.append("--command=SELECT pg_sleep(100)")
    sitting = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env)
    rotation.turn((f"{name}_b", "password2"))
    _none, said = sitting.communicate(timeout=20)
    assert "terminating connection due to administrator command" in said


@pytest.mark.parametrize("undo", ["REVOKE {0} FROM {0}_b", "ALTER ROLE {0}_b RESET role", "ALTER ROLE {0}_b NOLOGIN", "DROP ROLE {0}_b"])
def test_a_second_login_that_was_left_half_made_is_finished(job: Job, undo: str) -> None:
    name = job.client.name
    rotation = Rotation(job, (name, "password1"))
    coming = (f"{name}_b", "password2")
    rotation.step(coming=coming)
    job.server.ask(undo.format(name))
    rotation.step(coming=coming)
    assert rotation.opens(coming)


def test_somebody_elses_role_of_the_second_logins_name_is_refused(job: Job) -> None:
    name = job.client.name
    job.server.ask(f"CREATE ROLE {name}_b LOGIN")
    done = job.run()
    assert done.returncode == REFUSED
    assert done.stderr.startswith(f'refused: PostgreSQL role "{name}_b" exists and bears no mark')
    assert job.server.ask(f"SELECT count(*) FROM pg_roles WHERE rolname = '{name}'") == "0"


def test_a_secret_as_it_was_before_is_not_followed(job: Job) -> None:
    name = job.client.name
    job.wanted = f"0c3f5e1a9b2d4c60 77aa01be5f1c0a12 postgres={name},{name}_b clickhouse={name}"
    late = job.run()
    assert late.returncode == 1
    assert f"the Secret names the logins {name}, and the Job was made for others" in late.stderr
    assert job.server.ask(f"SELECT count(*) FROM pg_roles WHERE rolname LIKE '{name}%'") == "0"
    job.coming = (f"{name}_b", "password2")
    assert job.run().returncode == 0
    job.coming, job.wanted = None, f"0c3f5e1a9b2d4c60 77aa01be5f1c0a12 postgres={name} clickhouse={name},{name}_b"
    assert job.run().returncode == 0


def test_a_login_that_does_not_open_in_the_end_fails_the_job(job: Job) -> None:
    assert job.run().returncode == 0
    name = job.client.name
    job.server.ask(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    done = job.run()
    assert done.returncode not in (0, REFUSED)
    assert f"login {name} of the client's Secret does not open database {name}" in done.stderr or "too many connections" in done.stderr
    assert job.told == ""


def test_no_password_stands_in_the_servers_log(job: Job) -> None:
    assert job.run().returncode == 0
    assert job.password not in job.server.log.read_text()


MARKS = [
    (None, "exists and bears no mark"),
    ("rarus.lms catalogue=lms-prod client=C7", 'is marked "rarus.lms catalogue=lms-prod client=C7"'),
]


@pytest.mark.parametrize(("mark", "said"), MARKS)
@pytest.mark.parametrize("kind", ["ROLE", "DATABASE"])
def test_what_somebody_else_made_is_refused_and_left_alone(job: Job, kind: str, mark: str | None, said: str) -> None:
    name = job.client.name
    comment = f"; COMMENT ON {kind} {name} IS '{mark}'" if mark else ""
    job.server.ask(f"CREATE {kind} {name}")
    job.server.ask(f"SELECT 1{comment}")
    before = job.server.definitions()
    done = job.run()
    assert done.returncode == REFUSED, done.stderr
    expected = f'"rarus.lms catalogue=lms-dev client={job.client.id}"'
    assert done.stderr.startswith(
        f'refused: PostgreSQL {kind.lower()} "{name}" {said}, not {expected}. Add {job.client.id} to lms_take_over'
    )
    assert len(done.stderr.splitlines()) == 1
    assert job.server.definitions() == before


def test_another_catalogues_client_of_the_same_id_is_refused_and_a_prefix_keeps_both(job: Job) -> None:
    assert job.run().returncode == 0
    job.settings = {"lms_catalogue": "lms-prod"}
    assert job.run().returncode == REFUSED
    job.settings["lms_database_prefix"] = "prod_"
    done = job.run()
    assert done.returncode == 0, done.stderr
    name = f"prod_{job.client.name}"
    assert job.server.ask("SELECT current_user", user=name, password=job.password, database=name) == name


def test_taking_over_makes_it_ours(server: Server) -> None:
    job = Job(server, "superuser", ClientId(next(NUMBERS)))
    name = job.client.name
    server.ask(f"CREATE ROLE {name} SUPERUSER CREATEDB LOGIN")
    server.ask(f"CREATE DATABASE {name}")
    job.settings = {"lms_take_over": [job.client.id]}
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert server.ask(f"SELECT rolsuper, rolcreatedb FROM pg_roles WHERE rolname = '{name}'") == "f|f"
    assert server.ask(f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{name}'") == name
    assert server.ask("SELECT digest('x', 'md5') IS NOT NULL", user=name, password=job.password, database=name) == "t"
    job.settings = {}
    assert job.run().returncode == 0


UNFINISHED = [
    "REVOKE ALL ON DATABASE {0} FROM {0}",
    "COMMENT ON DATABASE {0} IS NULL",
    "GRANT CONNECT, TEMPORARY ON DATABASE {0} TO PUBLIC",
    "DROP DATABASE {0}",
]


@pytest.mark.parametrize("undo", UNFINISHED)
def test_a_run_that_was_killed_goes_on(job: Job, undo: str) -> None:
    assert job.run().returncode == 0
    job.server.ask(undo.format(job.client.name))
    done = job.run()
    assert done.returncode == 0, done.stderr
    test_no_other_client_gets_in(job)
    login = {"user": job.client.name, "password": job.password, "database": job.client.name}
    assert job.server.ask("SELECT uuid_generate_v4() IS NOT NULL", **login) == "t"


def test_the_clients_functions_never_run_as_the_administrator(job: Job) -> None:
    assert job.run().returncode == 0
    name = job.client.name
    login = {"user": name, "password": job.password, "database": name}
    trap = "CREATE FUNCTION public.format(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$"
    job.server.ask(f"{trap}; DROP EXTENSION pgcrypto; CREATE TABLE public.pg_extension (extname name)", **login)
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert job.server.ask("SELECT count(*) FROM pg_catalog.pg_extension WHERE extname IN ('pgcrypto', 'uuid-ossp')", **login) == "2"


def test_a_statement_that_fails_fails_the_job(job: Job) -> None:
    assert job.run().returncode == 0
    job.server.ask(f"ALTER DATABASE {job.client.name} ALLOW_CONNECTIONS false")
    done = job.run()
    assert done.returncode not in (0, REFUSED)
    assert "is not currently accepting connections" in done.stderr


def test_a_wrong_password_of_the_administrator_fails_with_its_reason(job: Job) -> None:
    job.server.ask("ALTER ROLE lms_admin PASSWORD 'other'")
    try:
        done = Job(job.server, "createrole", job.client).run()
    finally:
        job.server.ask("ALTER ROLE lms_admin PASSWORD '" + AWKWARD.replace("'", "''") + "'")
    assert done.returncode == 2
    assert 'password authentication failed for user "lms_admin"' in done.stderr


def test_a_login_of_another_name_is_refused(job: Job) -> None:
    job.login = f"old_{job.client.name}"
    done = job.run()
    assert done.returncode == REFUSED
    assert done.stderr == f"refused: the client's Secret has the login {job.login}, the catalogue's settings make it {job.client.name}.\n"


VERIFIED = {"lms_postgres_sslmode": "verify-full", "lms_postgres_ca": {"name": "databases", "key": "ca.pem"}}


def test_by_tls_with_the_authority_and_the_hosts_name_checked(job: Job) -> None:
    job.settings, job.authority = dict(VERIFIED), job.server.authority
    done = job.run()
    assert done.returncode == 0, done.stderr
    login = {"user": job.client.name, "password": job.password, "database": job.client.name}
    assert job.server.ask("SELECT current_user", **login) == job.client.name


def test_a_server_of_another_authority_or_name_is_not_spoken_to(job: Job, tmp_path: Path) -> None:
    Authority.make(tmp_path / "ca.pem")
    job.settings, job.authority = dict(VERIFIED), (tmp_path / "ca.pem").read_text()
    done = job.run()
    assert (done.returncode, "certificate verify failed" in done.stderr) == (2, True)
    job.settings["lms_postgres_host"], job.authority = "localhost", job.server.authority
    done = job.run()
    assert (done.returncode, 'does not match host name "localhost"' in done.stderr) == (2, True)
    job.settings["lms_postgres_sslmode"] = "verify-ca"
    assert job.run().returncode == 0
