# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script of the ClickHouse Job, run as the Job runs it, with the Jobs' client against the lab's server: the real engine and parser."""

from __future__ import annotations

import json
import shlex
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.rarus.lms.plugins.module_utils._domain.client_id import ClientId
from ansible_collections.rarus.lms.plugins.module_utils._domain.credentials import login_of
from support.certificates import Authority
from support.clickhouse_server import ADMIN_PASSWORD, Running, client_program, running
from support.setup_jobs import REFUSED, Ran, SetupJob

# ClickHouse's numbers.
SYNTAX, DENIED, NO_LOGIN, NO_CLUSTER = 62, 497, 516, 701
ADVICE = "to lms_take_over to take it over, or set lms_database_prefix to keep both."
GRANTED_EVERYWHERE = [("CREATE TEMPORARY TABLE", 1), ("POSTGRES", 1)]
NUMBERS = iter(range(100, 10_000))
Login = dict[str, str]


def login(user: str, password: str) -> Login:
    """Return a login as a Secret has it, by field."""
    return {key.removeprefix("clickhouse-"): value.decode() for key, value in login_of("clickhouse", "", user, password).items()}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Running]:
    """Yield a server of the test's own; no client's password may be in its log in the end."""
    with running(tmp_path_factory.mktemp("clickhouse"), ["clientpassword", "otherpassword"]) as started:
        yield started


@dataclass
class Job:
    """One client's Job: the login in use, and those that a rotation adds; admin is who it logs in as; programs are found before others.

    authority: what ConfigMap clickhouse_ca holds; probing: run the login probe in its place.
    """

    server: Running
    client: ClientId
    settings: dict[str, t.Any] = field(default_factory=dict)
    in_use: Login = field(default_factory=dict)
    coming: Login = field(default_factory=dict)
    leaving: Login = field(default_factory=dict)
    admin: tuple[str, str] = ("default", ADMIN_PASSWORD)
    programs: Path = field(default_factory=lambda: client_program().parent)
    wanted: str = ""
    authority: str = ""
    probing: bool = False

    def __post_init__(self) -> None:
        self.in_use = self.in_use or login(self.name, "clientpassword")

    @property
    def name(self) -> str:
        return str(self.settings.get("lms_database_prefix", "")) + self.client.name

    @property
    def mark(self) -> str:
        return f"rarus.lms catalogue={self.settings.get('lms_catalogue', 'lms-dev')} client={self.client}"

    def run(self) -> Ran:
        job = SetupJob("clickhouse", self.client, {"lms_clickhouse_port": self.server.port, **self.settings})
        files = {"admin/user": self.admin[0], "admin/password": self.admin[1]}
        for slot, given in (("", self.in_use), ("next-", self.coming), ("previous-", self.leaving)):
            files |= {f"credentials/clickhouse-{slot}{key}": value for key, value in given.items()}
        files.pop("credentials/clickhouse-previous-password", None)
        files |= {"ca/ca.crt": self.authority} if self.authority else {}
        secrets = (self.in_use["password"], self.in_use["password-sha256"], ADMIN_PASSWORD)
        return job.run(files, wanted=self.wanted, secrets=secrets, path=self.programs, probing=self.probing)

    def succeeds(self) -> Ran:
        done = self.run()
        assert done.returncode == 0, done.stderr
        return done

    def opens(self, given: Login, database: str = "") -> bool:
        """Return whether a login is let in."""
        code = self.server.code("SELECT count() FROM system.tables", given["user"], given["password"], database)
        assert code in (0, NO_LOGIN)
        return code == 0

    def refused(self, sentence: str) -> None:
        """Run the Job, which must refuse with one sentence and leave everything as it was."""
        before = state(self.server)
        done = self.run()
        assert (done.returncode, done.stderr) == (REFUSED, f"refused: {sentence} Add {self.client} {ADVICE}\n")
        assert (state(self.server), done.told) == (before, "")


def state(server: Running) -> tuple[t.Any, ...]:
    """Return all that the server knows of databases, users and rights."""
    databases = server.ask("SELECT name, uuid, engine, comment FROM system.databases ORDER BY name")
    return databases, json.loads(server.accounts.read_text())


@pytest.fixture
def job(server: Running) -> Job:
    """Return the Job of a client that no test had before."""
    return Job(server, ClientId(next(NUMBERS)))


def test_makes_a_database_and_a_user_with_the_rights_of_the_specification(job: Job) -> None:
    done = job.succeeds()
    assert done.stdout.splitlines()[-1] == f"database {job.name} is ready, in use: {job.name}"
    assert done.told == ""
    ask, name = job.server.ask, job.name
    assert ask(f"SELECT comment FROM system.databases WHERE name = '{name}'") == [(job.mark,)]
    grants = f"FROM system.grants WHERE user_name = '{name}'"
    assert ask(f"SELECT access_type, grant_option {grants} AND isNull(database) ORDER BY toString(access_type)") == GRANTED_EVERYWHERE
    ask("CREATE DATABASE compared")
    ask("CREATE USER compared")
    ask("GRANT ALL ON compared.* TO compared")
    everything = ask("SELECT access_type, grant_option FROM system.grants WHERE user_name = 'compared'")
    for statement in ("DROP USER compared", "DROP DATABASE compared"):
        ask(statement)
    assert sorted(ask(f"SELECT access_type, grant_option {grants} AND database = '{name}'")) == sorted(everything)
    for statement in (
        "CREATE TABLE lessons (id UInt64) ENGINE = MergeTree ORDER BY id",
        "INSERT INTO lessons SELECT 7",
        "CREATE VIEW seen AS SELECT id FROM lessons",
        "DROP VIEW seen",
    ):
        ask(statement, name, "clientpassword", name)
    assert ask("SELECT currentUser(), currentDatabase(), id FROM lessons", name, "clientpassword") == [(name, name, 7)]


def test_no_other_client_gets_in(job: Job) -> None:
    other = Job(job.server, ClientId(next(NUMBERS)), in_use={})
    other.in_use = login(other.name, "otherpassword")
    job.succeeds()
    other.succeeds()
    job.server.ask("CREATE TABLE lessons (id UInt64) ENGINE = Memory", job.name, "clientpassword", job.name)
    for statement in (f"SELECT * FROM {job.name}.lessons", f"USE {job.name}", f"DROP DATABASE {job.name}", f"SHOW TABLES FROM {job.name}"):
        assert job.server.code(statement, other.name, "otherpassword") == DENIED, statement
    assert job.server.code("SELECT 1", job.name, "otherpassword") == NO_LOGIN


def test_a_second_run_changes_nothing(job: Job) -> None:
    job.succeeds()
    before = state(job.server)
    assert job.succeeds().told == ""
    assert state(job.server) == before


@pytest.mark.parametrize("comment", ["", "rarus.lms catalogue=lms-prod client=C7"])
def test_a_database_that_somebody_else_made_is_refused_and_left_alone(job: Job, comment: str) -> None:
    job.server.ask(f"CREATE DATABASE {job.name} COMMENT '{comment}'")
    found = f'is marked "{comment}"' if comment else "exists and bears no mark"
    job.refused(f'ClickHouse database {job.name} {found}, not "{job.mark}".')


@pytest.mark.parametrize("suffix", ["", "_b"])
def test_a_user_without_a_database_is_refused_and_left_alone(job: Job, suffix: str) -> None:
    user = job.name + suffix
    job.server.ask(f"CREATE USER {user} IDENTIFIED BY 'theirs'")
    job.refused(f"ClickHouse user {user} exists and its default database is not {job.name}, so it is not known whose it is.")
    assert job.server.code("SELECT 1", user, "theirs") == 0


def test_a_client_whose_database_was_dropped_is_refused(job: Job) -> None:
    job.succeeds()
    job.server.ask(f"DROP DATABASE {job.name}")
    job.refused(f"ClickHouse user {job.name} exists without a database {job.name}, so it is not known whose it is.")


@pytest.mark.parametrize("coming", [False, True])
def test_somebody_elses_user_of_the_second_logins_name_is_neither_closed_nor_seized(job: Job, coming: bool) -> None:
    job.succeeds()
    second = f"{job.name}_b"
    job.server.ask(f"CREATE USER {second} IDENTIFIED BY 'theirs'")
    job.coming = login(second, "clientpassword2") if coming else {}
    job.refused(f"ClickHouse user {second} exists and its default database is not {job.name}, so it is not known whose it is.")
    assert job.server.code("SELECT 1", second, "theirs") == 0


def test_taking_over_makes_it_ours_for_good(job: Job) -> None:
    for statement in (f"CREATE DATABASE {job.name}", f"CREATE USER {job.name} IDENTIFIED BY 'byhand'", f"CREATE USER {job.name}_b"):
        job.server.ask(statement)
    job.server.ask(f"CREATE TABLE {job.name}.kept (word String) ENGINE = MergeTree ORDER BY word")
    job.server.ask(f"INSERT INTO {job.name}.kept SELECT 'clickhouse'")
    assert job.run().returncode == REFUSED
    job.settings = {"lms_take_over": [str(job.client)]}
    job.succeeds()
    assert job.server.ask(f"SELECT comment FROM system.databases WHERE name = '{job.name}'") == [(job.mark,)]
    assert job.server.ask("SELECT word FROM kept", job.name, "clientpassword") == [("clickhouse",)]
    assert job.server.code("SELECT 1", f"{job.name}_b", "") == NO_LOGIN
    before, job.settings = state(job.server), {}
    assert job.succeeds().told == ""
    assert state(job.server) == before


def _server_that_refuses(folder: Path, words: str, code: int) -> Path:
    """Return a folder with a client that fails where the statements have these words, and else does what the Jobs' client does."""
    client = folder / "clickhouse-client"
    told = f"Code: {code}. DB::Exception: this server cannot."
    client.write_text(
        "#!/bin/bash\n"
        "statements=$(cat)\n"
        f'case "$statements" in *"{words}"*) echo "{told}" >&2; exit {code % 256} ;; esac\n'
        f'exec {shlex.quote(str(client_program()))} "$@" <<< "$statements"\n'
    )
    client.chmod(0o755)
    return folder


@pytest.mark.parametrize("code", [SYNTAX, 48])
def test_a_server_that_cannot_change_a_comment_is_told_and_the_entry_must_stay(job: Job, tmp_path: Path, code: int) -> None:
    job.server.ask(f"CREATE DATABASE {job.name}")
    job.programs = _server_that_refuses(tmp_path, "MODIFY COMMENT", code)
    job.settings = {"lms_take_over": [str(job.client)]}
    told = f"database {job.name} keeps no mark, as this ClickHouse cannot change its comment: keep {job.client} in lms_take_over\n"
    assert job.succeeds().told == told
    assert job.opens(job.in_use)
    assert job.succeeds().told == told
    job.settings = {}
    job.refused(f'ClickHouse database {job.name} exists and bears no mark, not "{job.mark}".')


def test_any_other_failure_to_set_the_mark_fails_the_job(job: Job, tmp_path: Path) -> None:
    job.server.ask(f"CREATE DATABASE {job.name}")
    job.programs, job.settings = _server_that_refuses(tmp_path, "MODIFY COMMENT", DENIED), {"lms_take_over": [str(job.client)]}
    done = job.run()
    assert (done.returncode, "Code: 497." in done.stderr) == (DENIED % 256, True)
    assert job.server.ask(f"SELECT count() FROM system.users WHERE name = '{job.name}'") == [(0,)]


def test_another_catalogues_client_of_the_same_id_is_refused_and_a_prefix_keeps_both(job: Job) -> None:
    job.succeeds()
    theirs = job.mark
    job.settings = {"lms_catalogue": "lms-prod"}
    job.refused(f'ClickHouse database {job.name} is marked "{theirs}", not "{job.mark}".')
    job.settings["lms_database_prefix"] = "prod_"
    job.in_use = login(job.name, "clientpassword")
    job.succeeds()
    assert job.opens(job.in_use, job.name)


# What an administrator needs up to the grants; he cannot pass on what he does not have.
LESSER = ["CREATE DATABASE, CREATE USER, ALTER USER, SHOW USERS, SHOW DATABASES ON *.*", "SELECT ON system.*"]


def test_the_first_statement_that_fails_ends_it(job: Job) -> None:
    admin = f"lesser_{job.name}"
    job.server.ask(f"CREATE USER {admin} IDENTIFIED BY '{ADMIN_PASSWORD}'")
    for grant in (*LESSER, "CREATE TEMPORARY TABLE ON *.*"):
        job.server.ask(f"GRANT {grant} TO {admin} WITH GRANT OPTION")
    job.admin = (admin, ADMIN_PASSWORD)
    done = job.run()
    assert (done.returncode, done.told) == (DENIED % 256, "")
    assert f"Code: {DENIED}." in done.stderr
    assert f"the grant ALL ON {job.name}.*" in done.stderr
    granted = job.server.ask(f"SELECT count() FROM system.grants WHERE user_name = '{job.name}'")
    assert (granted, "is ready" in done.stdout) == ([(0,)], False)
    job.admin = ("default", ADMIN_PASSWORD)
    job.succeeds()
    assert job.opens(job.in_use)


def test_a_wrong_password_of_the_administrator_fails_with_its_reason(job: Job) -> None:
    job.admin = ("default", "wrong")
    before = state(job.server)
    done = job.run()
    assert (done.returncode, f"Code: {NO_LOGIN}." in done.stderr) == (NO_LOGIN % 256, True)
    assert state(job.server) == before


def test_a_login_of_another_name_is_refused(job: Job) -> None:
    job.in_use = login(f"old_{job.name}", "clientpassword")
    before = state(job.server)
    done = job.run()
    sentence = f"refused: the client's Secret has the login old_{job.name}, the catalogue's settings make it {job.name}.\n"
    assert (done.returncode, done.stderr) == (REFUSED, sentence)
    assert state(job.server) == before


def test_a_password_that_differs_is_repaired_and_told(job: Job) -> None:
    job.succeeds()
    job.server.ask(f"ALTER USER {job.name} IDENTIFIED BY 'somebodyelses'")
    sentence = f"repaired: the password of {job.name} in ClickHouse differed from the Secret"
    done = job.succeeds()
    assert (sentence in done.stdout.splitlines(), done.told) == (True, sentence + "\n")
    assert job.opens(job.in_use)
    assert job.succeeds().told == ""


def test_logins_take_turns_with_the_same_rights_and_the_former_one_is_closed(job: Job) -> None:
    first = job.in_use
    job.succeeds()
    for user, password in ((f"{job.name}_b", "password2"), (job.name, "password3"), (f"{job.name}_b", "password4")):
        former, following = job.in_use, login(user, password)
        job.coming = following
        job.succeeds()
        assert (job.opens(former), job.opens(following)) == (True, True)
        job.in_use, job.coming, job.leaving = following, {}, former
        job.succeeds()
        assert (job.opens(former), job.opens(following)) == (True, True)
        job.leaving = {}
        assert job.succeeds().told == ""
        assert (job.opens(former), job.opens(following)) == (False, True)
        before = state(job.server)
        job.succeeds()
        assert state(job.server) == before
        grants = "SELECT access_type, database, grant_option FROM system.grants WHERE user_name = '{}' ORDER BY toString(access_type)"
        assert job.server.ask(grants.format(user)) == job.server.ask(grants.format(former["user"]))
    assert not job.opens(first)


def test_a_secret_as_it_was_before_is_not_followed(job: Job) -> None:
    second = f"{job.name}_b"
    job.wanted = f"0c3f5e1a9b2d4c60 77aa01be5f1c0a12 postgres={job.name} clickhouse={job.name},{second}"
    before = state(job.server)
    late = job.run()
    assert late.returncode == 1
    assert f"the Secret names the logins {job.name}, and the Job was made for others" in late.stderr
    assert state(job.server) == before
    job.coming = login(second, "clientpassword2")
    job.succeeds()


UNFINISHED = [
    "DROP USER {0}",
    "REVOKE ALL ON *.* FROM {0}",
    "ALTER USER {0} HOST NONE",
    "ALTER USER {0} IDENTIFIED BY 'x' HOST NONE",
]


@pytest.mark.parametrize("undo", UNFINISHED)
def test_a_run_that_was_killed_goes_on(job: Job, undo: str) -> None:
    job.succeeds()
    wanted = state(job.server)[0], job.server.ask(f"SHOW GRANTS FOR {job.name}")
    job.server.ask(undo.format(job.name))
    job.succeeds()
    assert job.opens(job.in_use, job.name)
    assert (state(job.server)[0], job.server.ask(f"SHOW GRANTS FOR {job.name}")) == wanted


def test_a_login_that_does_not_open_in_the_end_fails_the_job(job: Job) -> None:
    job.in_use["password"] = "clientpassword-and-more"  # the hash beside it is another's
    done = job.run()
    assert (done.returncode, done.told) == (1, "")
    assert done.stderr.splitlines()[-1] == f"refused: login {job.name} of the client's Secret does not open database {job.name}"


def test_on_a_cluster_everything_is_made_there(job: Job) -> None:
    job.settings = {"lms_clickhouse_cluster": "lab"}
    job.server.ask(f"CREATE DATABASE {job.name}")
    job.refused(f'ClickHouse database {job.name} exists and bears no mark, not "{job.mark}".')
    job.settings["lms_take_over"] = [str(job.client)]
    job.succeeds()
    del job.settings["lms_take_over"]
    before = state(job.server)
    assert job.succeeds().told == ""
    assert state(job.server) == before
    former, job.coming = job.in_use, login(f"{job.name}_b", "clientpassword2")
    job.succeeds()
    job.in_use, job.coming = job.coming, {}
    job.succeeds()
    assert (job.opens(former), job.opens(job.in_use, job.name)) == (False, True)
    assert job.server.ask(f"SELECT comment FROM system.databases WHERE name = '{job.name}'") == [(job.mark,)]


def test_a_cluster_that_the_server_does_not_know_fails_before_anything_is_made(job: Job) -> None:
    job.settings = {"lms_clickhouse_cluster": "nowhere"}
    before = state(job.server)
    done = job.run()
    assert (done.returncode, f"Code: {NO_CLUSTER}." in done.stderr) == (NO_CLUSTER % 256, True)
    assert state(job.server) == before


TLS = {"lms_clickhouse_secure": True, "lms_clickhouse_ca": {"name": "databases", "key": "ca.pem"}}
NETWORK = 210


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, str]:
    """Return an authority that nobody knows of, and its certificate."""
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    return Authority.make(file), file.read_text()


@pytest.fixture(scope="module")
def secure(authority: tuple[Authority, str], tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Running]:
    """Yield a server that is spoken to by TLS alone, with a certificate of that authority."""
    folder = tmp_path_factory.mktemp("clickhouse-tls")
    with running(folder, ["clientpassword"], certificate=authority[0].issue(folder / "server.pem")) as started:
        yield started


def test_by_tls_with_an_authority_of_its_own(secure: Running, authority: tuple[Authority, str]) -> None:
    job = Job(secure, ClientId(next(NUMBERS)), settings=dict(TLS), authority=authority[1])
    job.succeeds()
    assert job.opens(job.in_use, job.name)
    job.probing = True
    assert job.succeeds().told == "agrees\n"


@pytest.mark.parametrize("probing", [False, True])
def test_a_server_of_another_authority_is_not_spoken_to(secure: Running, tmp_path: Path, probing: bool) -> None:
    Authority.make(tmp_path / "ca.pem")
    job = Job(secure, ClientId(next(NUMBERS)), settings=dict(TLS), authority=(tmp_path / "ca.pem").read_text(), probing=probing)
    _not_spoken_to(job)
    job.settings, job.authority = {"lms_clickhouse_secure": True}, ""
    _not_spoken_to(job)


def test_a_server_whose_certificate_is_for_another_is_not_spoken_to(authority: tuple[Authority, str], tmp_path: Path) -> None:
    certificate = authority[0].issue(tmp_path / "server.pem", address="127.0.0.2")
    with running(tmp_path, ["clientpassword"], certificate=certificate) as server:
        _not_spoken_to(Job(server, ClientId(next(NUMBERS)), settings=dict(TLS), authority=authority[1]))


def _not_spoken_to(job: Job) -> None:
    done = job.run()
    said = done.told if job.probing else done.stderr
    assert (done.returncode, f"Code: {NETWORK}." in said, "certificate" in said) == (0 if job.probing else NETWORK, True, True)
