"""The ClickHouse stand-in, asked by two real drivers: Python's clickhouse-driver, and clickhouse-go in the Jobs' client."""
from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.clickhouse_server import ADMIN_PASSWORD, Running, client_program, running

PASSWORD = "canary-client-password"
SALT = "canary-salt"
HASH = hashlib.sha256((PASSWORD + SALT).encode()).hexdigest()
SECRETS = (PASSWORD, SALT, HASH)

SETUP = f"""
-- what the Job runs; the semicolon in a comment; and 'this quote do no harm
SELECT throwIf(count() > 0, 'database c42 belongs to somebody else')
FROM system.databases WHERE name = 'c42' AND comment NOT IN ('', 'rarus.lms; client=C42');
CREATE DATABASE IF NOT EXISTS c42 COMMENT 'rarus.lms; client=C42';
CREATE USER IF NOT EXISTS c42 IDENTIFIED WITH sha256_hash BY '{HASH}' SALT '{SALT}';
ALTER USER c42 IDENTIFIED WITH sha256_hash BY '{HASH}' SALT '{SALT}';
GRANT ALL ON c42.* TO c42;
GRANT POSTGRES ON *.* TO c42 WITH GRANT OPTION;
GRANT CREATE TEMPORARY TABLE ON *.* TO c42 WITH GRANT OPTION;
"""


def set_up(server: Running) -> None:
    for statement in SETUP.rstrip().rstrip(";").split(";\n"):
        server.ask(statement)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with client C42, set up as the Job does it, and its neighbour C7."""
    with running(tmp_path_factory.mktemp("clickhouse"), SECRETS) as started:
        set_up(started)
        for statement in ("CREATE DATABASE c7", "CREATE TABLE c7.t (a UInt64) ENGINE = MergeTree ORDER BY a", "INSERT INTO c7.t VALUES (7)",
                          "CREATE USER c7 IDENTIFIED WITH plaintext_password BY 'seven'", "GRANT ALL ON c7.* TO c7"):
            started.ask(statement)
        yield started


@pytest.fixture(scope="module")
def program() -> Path:
    """The client in the image of the Jobs."""
    return client_program()


def run_client(
    program: Path, server: Running, script: str, *options: str, user: str = "default", password: str = ADMIN_PASSWORD,
) -> subprocess.CompletedProcess[str]:
    """Run a script with the password in a configuration file; checks that no password is printed."""
    config = server.folder / "client.xml"
    config.write_text(
        f"<config><host>127.0.0.1</host><port>{server.port}</port><user>{user}</user><password>{password}</password><secure>0</secure></config>")
    done = subprocess.run(
        [str(program), "--config-file", str(config), "--multiquery", *options], input=script, capture_output=True, text=True, check=False)
    assert password not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize(("statement", "rows"), [
    ("SELECT currentUser(), user(), currentDatabase()", [("c42", "c42", "c42")]),
    ("SELECT 1, toInt64(-3), toUInt64(18446744073709551615), 'x', NULL", [(1, -3, 18446744073709551615, "x", None)]),
    ("SELECT 'currentUser() in system.users'", [("currentUser() in system.users",)]),
    ("SELECT name, comment FROM system.databases WHERE name LIKE 'c%'", [("c42", "rarus.lms; client=C42")]),
    ("SHOW DATABASES LIKE 'c%'", [("c42",)]),
    ("SELECT count() FROM system.tables WHERE database = 'c7'", [(0,)]),
    ("SELECT number FROM numbers(200000) WHERE number IN (0, 70000, 199999)", [(0,), (70000,), (199999,)]),
    ("SELECT 1 FROM system.one WHERE 0", []),
    ("SELECT 1 FORMAT JSON", [(1,)]),
])
def test_a_client_sees_itself_and_its_own(server: Running, statement: str, rows: list[tuple[Any, ...]]) -> None:
    assert server.ask(statement, "c42", PASSWORD, "c42") == rows


def test_a_client_works_in_its_database(server: Running) -> None:
    client = server.login("c42", PASSWORD, "c42")
    for statement in ("CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a", "INSERT INTO t VALUES (1, 'it''s'), (2, 'b')",
                      "ALTER TABLE t ADD COLUMN n Nullable(Int8)", "CREATE TEMPORARY TABLE tt (a UInt8)", "INSERT INTO tt SELECT 5",
                      "RENAME TABLE t TO u"):
        client.execute(statement)
    assert client.execute("SELECT * FROM u ORDER BY a") == [(1, "it's", None), (2, "b", None)]
    assert client.execute("SELECT a FROM tt") == [(5,)]
    client.execute("DROP TABLE u")


@pytest.mark.parametrize("statement", [
    # reading what is another's
    "SELECT * FROM c7.t", "SELECT a FROM (SELECT 1 AS a) WHERE a IN (SELECT a FROM c7.t)", "SELECT 1 WHERE 7 IN c7.t",
    "SELECT * FROM merge('c7', '.*')", "SELECT joinGet('c7.t', 'a', 1)", "SHOW TABLES FROM c7", "USE c7", "DESCRIBE TABLE c7.t",
    "EXISTS TABLE c7.t", "SHOW CREATE TABLE c7.t", "CREATE TABLE mine AS c7.t", "CREATE VIEW v AS SELECT * FROM c7.t",
    # changing it
    "INSERT INTO c7.t SELECT 1", "TRUNCATE TABLE c7.t", "DROP TABLE c7.t", "DROP DATABASE c7", "ALTER TABLE c7.t DELETE WHERE 1",
    "RENAME TABLE c7.t TO c42.t", "CREATE TABLE c7.x (a UInt8) ENGINE = Memory", "CREATE DATABASE c43",
    "ALTER DATABASE c7 MODIFY COMMENT 'mine'", "ALTER DATABASE c7 ON CLUSTER lab MODIFY COMMENT 'mine'",
    # users and rights
    "CREATE USER c43 IDENTIFIED BY 'x'", "ALTER USER c7 IDENTIFIED BY 'x'", "DROP USER c7", "GRANT ALL ON c7.* TO c42",
    "GRANT SELECT ON c42.* TO c7", "SHOW GRANTS FOR c7", "SHOW USERS", "SELECT * FROM system.users", "SELECT * FROM system.grants",
    # the server and what lies around it
    "SELECT * FROM information_schema.tables", "SELECT * FROM url('http://127.0.0.1:1/x', CSV, 'a String')",
    "SELECT * FROM file('/etc/passwd', LineAsString)", "SYSTEM FLUSH LOGS", "KILL QUERY WHERE 1", "CREATE FUNCTION f AS x -> x",
])
def test_a_client_is_refused_what_is_not_its_own(server: Running, statement: str) -> None:
    assert server.code(statement, "c42", PASSWORD, "c42") == 497


def test_the_source_postgres_is_granted_and_can_be_passed_on(server: Running) -> None:
    question = "SELECT * FROM postgresql('127.0.0.1:1', 'd', 't', 'u', 'p')"
    assert server.code(question, "c42", PASSWORD) == 614  # it tried to connect
    assert server.code(question, "c7", "seven") == 497
    server.ask("GRANT POSTGRES ON *.* TO c7", "c42", PASSWORD)
    assert server.code(question, "c7", "seven") == 497  # a table function needs the right to make temporary tables as well
    server.ask("GRANT CREATE TEMPORARY TABLE ON *.* TO c7", "c42", PASSWORD)
    assert server.code(question, "c7", "seven") == 614
    server.ask("REVOKE POSTGRES, CREATE TEMPORARY TABLE ON *.* FROM c7")
    assert server.code(question, "c7", "seven") == 497


@pytest.mark.parametrize(("user", "password", "database", "code"), [
    ("c42", "wrong", "", 516), ("c42", HASH, "", 516), ("c99", "x", "", 516), ("default", "", "", 516), ("c42", PASSWORD, "missing", 81),
    ("c42", PASSWORD, "c42", 0),
])
def test_logins(server: Running, user: str, password: str, database: str, code: int) -> None:
    assert server.code("SELECT 1", user, password, database) == code


@pytest.mark.parametrize(("statement", "code"), [
    ("GRANT NONSENSE ON *.* TO c42", 62), ("CREATE USER c44 IDENTIFIED BY", 62), ("SELECT 1; SELECT 2", 62), ("SELECT * FROM nope.t", 81),
    ("CREATE USER c42 IDENTIFIED BY 'x'", 493), ("GRANT SELECT ON c42.* TO c99", 192), ("DROP USER c99", 192),
    ("DROP USER IF EXISTS c99", 0), ("GRANT POSTGRES ON c42.* TO c42", 509),
    ("CREATE DATABASE c42", 82), ("DROP DATABASE c99", 81), ("DROP DATABASE IF EXISTS c99", 0),
    ("CREATE DATABASE IF NOT EXISTS c42 ON CLUSTER lab", 0), ("CREATE DATABASE IF NOT EXISTS c42 ON CLUSTER other", 701),
    ("CREATE USER c44 ON CLUSTER other", 701), ("GRANT ON CLUSTER lab SELECT ON c42.* TO c42", 0), ("SELECT throwIf(1, 'foreign')", 395),
    ("INSERT INTO c7.t VALUES", 48), ("CREATE USER c44 HOST IP '10.0.0.1'", 48), ("SELECT 1 INTO OUTFILE '/tmp/x'", 48),
    ("CREATE USER c44 IDENTIFIED WITH sha256_hash BY 'short'", 36), ("ALTER DATABASE c7 ON CLUSTER other MODIFY COMMENT 'x'", 701),
    ("ALTER DATABASE c99 MODIFY COMMENT 'x'", 81),
])
def test_answers_to_the_administrator(server: Running, statement: str, code: int) -> None:
    assert server.code(statement) == code


def test_what_the_server_says_of_users_and_grants(server: Running) -> None:
    assert server.ask("SELECT name, auth_type FROM system.users WHERE name = 'c42'") == [("c42", ["sha256_password"])]
    found = server.ask("SELECT access_type, grant_option FROM system.grants WHERE user_name = 'c42' AND isNull(database) ORDER BY 1")
    assert sorted(found) == [("CREATE TEMPORARY TABLE", 1), ("POSTGRES", 1)]
    granted = server.ask("SHOW GRANTS FOR c42")
    assert [line for line, in granted if re.search(r"SELECT.* ON c42\.\* TO c42$", line)]
    assert ("GRANT POSTGRES, CREATE TEMPORARY TABLE ON *.* TO c42 WITH GRANT OPTION",) in granted
    assert server.ask("SHOW CREATE USER c42") == [("CREATE USER c42 IDENTIFIED WITH sha256_password",)]
    assert server.ask("SELECT cluster FROM system.clusters") == [("lab",)]


def test_a_user_with_host_none_is_let_in_from_nowhere_until_it_may_again(server: Running) -> None:
    login = f"IDENTIFIED WITH sha256_hash BY '{HASH}' SALT '{SALT}'"
    server.ask(f"CREATE USER c6 {login} HOST ANY")
    assert server.code("SELECT 1", "c6", PASSWORD) == 0
    server.ask(f"ALTER USER IF EXISTS `c6` {login} HOST NONE")
    assert server.code("SELECT 1", "c6", PASSWORD) == 516
    server.ask(f"ALTER USER c6 {login}")
    assert server.code("SELECT 1", "c6", PASSWORD) == 516
    server.ask(f"ALTER USER c6 {login} HOST ANY")
    assert server.code("SELECT 1", "c6", PASSWORD) == 0
    server.ask("DROP USER c6")


@pytest.mark.parametrize("cluster", ["", "ON CLUSTER lab"])
def test_a_databases_comment_can_be_changed(server: Running, cluster: str) -> None:
    server.ask(f"ALTER DATABASE c7 {cluster} MODIFY COMMENT 'it''s {cluster or 'changed'}'")
    assert server.ask("SELECT comment FROM system.databases WHERE name = 'c7'") == [(f"it's {cluster or 'changed'}",)]


def test_a_users_own_database_is_told(server: Running) -> None:
    for statement in ("CREATE USER c5 IDENTIFIED BY 'five' HOST ANY DEFAULT DATABASE `c42`", "GRANT SELECT ON c42.* TO c5"):
        server.ask(statement)
    assert server.ask("SELECT currentDatabase()", "c5", "five") == [("c42",)]
    assert server.ask("SELECT default_database FROM system.users WHERE name IN ('c5', 'c7') ORDER BY name") == [("c42",), ("",)]
    server.ask("DROP USER c5")


def test_a_second_login_by_a_role(server: Running) -> None:
    for statement in ("CREATE ROLE c8", "CREATE DATABASE c8", "GRANT ALL ON c8.* TO c8", "CREATE USER c8_b IDENTIFIED BY 'b'",
                      "CREATE USER c8 IDENTIFIED BY 'a'", "GRANT c8 TO c8_b, c8"):
        server.ask(statement)
    server.ask("CREATE TABLE c8.t (a UInt8) ENGINE = Memory", "c8_b", "b")
    server.ask("INSERT INTO c8.t VALUES (1)", "c8", "a")
    server.ask("REVOKE c8 FROM c8_b")
    assert server.ask("SELECT count() FROM c8.t", "c8", "a") == [(1,)]
    assert server.code("SELECT * FROM c8.t", "c8_b", "b") == 497


def test_a_revoked_part_of_a_wider_grant_stays_away(server: Running) -> None:
    for statement in ("CREATE DATABASE c9", "CREATE TABLE c9.t (a UInt8) ENGINE = Memory", "CREATE USER c9 IDENTIFIED BY 'n'",
                      "GRANT ALL ON c9.* TO c9", "REVOKE INSERT ON c9.* FROM c9"):
        server.ask(statement)
    assert server.code("SELECT * FROM c9.t", "c9", "n") == 0
    assert server.code("INSERT INTO c9.t SELECT 1", "c9", "n") == 497
    server.ask("REVOKE ALL ON *.* FROM c9")
    assert server.code("SELECT * FROM c9.t", "c9", "n") == 497


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with running(tmp_path, SECRETS) as first:
        set_up(first)
        first.ask("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a", "c42", PASSWORD, "c42")
        first.ask("INSERT INTO t VALUES (5)", "c42", PASSWORD, "c42")
    with running(tmp_path, SECRETS) as second:
        assert second.ask("SELECT a FROM t", "c42", PASSWORD, "c42") == [(5,)]
        assert second.ask("SELECT comment FROM system.databases WHERE name = 'c42'") == [("rarus.lms; client=C42",)]
    kept = second.accounts
    assert kept.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in kept.read_text()


def test_the_jobs_client_runs_a_script_and_runs_it_again(server: Running, program: Path) -> None:
    for _time in range(2):
        done = run_client(program, server, SETUP + "SELECT 'tab\t', NULL, [1, 2], toDate('2026-01-02');")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "0\ntab\\t\t\\N\t[1,2]\t2026-01-02\n"


@pytest.mark.parametrize(("script", "code", "text"), [
    ("SELECT 1; GRANT NONSENSE ON *.* TO c42; SELECT 2", 62, "Code: 62. DB::Exception: Received from 127.0.0.1:"),
    ("SELECT 1; SELECT throwIf(1, 'it is foreign'); SELECT 2", 395 % 256, "it is foreign"),
    ("SELECT 1; CREATE DATABASE c42; SELECT 2", 82, "already exists"),
])
def test_the_jobs_client_stops_at_the_first_error(server: Running, program: Path, script: str, code: int, text: str) -> None:
    done = run_client(program, server, script)
    assert (done.returncode, done.stdout) == (code, "1\n")
    assert text in done.stderr


def test_the_jobs_client_says_why_it_cannot_connect(server: Running, program: Path) -> None:
    refused = run_client(program, server, "SELECT 1", user="c42", password="wrong-canary")
    assert (refused.returncode, "Code: 516. DB::Exception" in refused.stderr) == (516 % 256, True)
    closed = run_client(program, server, "SELECT 1", "--port", "1")
    assert (closed.returncode, "Code: 210." in closed.stderr) == (210, True)
    unknown = run_client(program, server, "SELECT 1", "--host", "nobody.invalid")
    assert (unknown.returncode, "Code: 198." in unknown.stderr) == (198, True)
    missing = subprocess.run([str(program), "--config-file", "/nowhere.xml"], capture_output=True, text=True, check=False)
    assert (missing.returncode, "/nowhere.xml" in missing.stderr) == (76, True)
