# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a catalogue: one table of all of them, what they must look like, and how a client's own lie over them."""

from __future__ import annotations

import copy
import difflib
import re
import typing as t
from dataclasses import dataclass

from .._core.errors import InputError
from .client_id import ClientId
from .kinds import KINDS, Kind, RefusedError, plain

__all__ = ["PREFIX", "REQUIRED", "SETTINGS", "Setting", "connection_of", "own_settings", "read_settings", "settings_of", "with_records"]

PREFIX = "lms_"
# The phase of a record whose client has no pods for a while.
SUSPENDED = "suspended"
TYPO_CLOSENESS = 0.8


class _Required:
    """The default of a setting that has none."""

    def __repr__(self) -> str:
        """Return the word for the documentation."""
        return "required"


REQUIRED = _Required()


@dataclass(frozen=True)
class Setting:
    """One setting.

    name: the macro of the specification with underscores; the catalogue's variable is lms_<name>.
    kind: a name in KINDS. sentence: what it is for, with its unit.
    macro: whether a request template may use it. own: whether one client may have its own.
    connection: it belongs to the connection (lookup rarus.lms.connection); a secret is kept there alone.
    """

    name: str
    kind_name: str
    default: t.Any
    sentence: str
    macro: bool = True
    own: bool = True
    connection: bool = False

    @property
    def variable(self) -> str:
        """Return the name of the catalogue's variable."""
        return PREFIX + self.name

    @property
    def kind(self) -> Kind:
        """Return what the value must look like."""
        return KINDS[self.kind_name]


def _catalogue(name: str, kind_name: str, default: t.Any, sentence: str, *, macro: bool = True, connection: bool = False) -> Setting:
    """Return a setting that all clients of a catalogue share."""
    return Setting(name, kind_name, default, sentence, macro=macro, own=False, connection=connection)


# fmt: off
SETTINGS: tuple[Setting, ...] = (
    # Where environments live, and who may ask for them
    _catalogue("catalogue", "catalogue", REQUIRED,
               "Name of the catalogue, as records and databases bear it; by default its host's in the inventory."),
    _catalogue("api_root_url", "api root", "",
               "Root URL of the cluster's API, with or without its last slash; by default K8S_AUTH_HOST.", connection=True),
    _catalogue("api_token", "token", "",
               "Bearer token of the API, from a vault or the environment; by default K8S_AUTH_API_KEY.", macro=False, connection=True),
    _catalogue("api_ca_file", "file", "",
               "File with the certificate authority of the API (PEM); by default K8S_AUTH_SSL_CA_CERT.", macro=False, connection=True),
    _catalogue("api_validate_certs", "boolean", "",
               "Whether the API's certificate is checked; by default K8S_AUTH_VERIFY_SSL, or yes.", macro=False, connection=True),
    _catalogue("namespace_id", "namespace", REQUIRED, "Namespace that the environments live in."),
    _catalogue("registry_namespace", "namespace", "", "Namespace of the clients' records; by default the environments' own."),
    _catalogue("templates_dir", "folder", "",
               "Folder with request templates of your own, looked for from the catalogue's; empty for none.", macro=False),
    _catalogue("client_settings", "settings of clients", {},
               "Settings of single clients, by client id, as {C42: {replicas: 2}}.", macro=False),
    # The service
    Setting("docker_image", "image", REQUIRED, "Image of the LMS back end."),
    Setting("pull_secret", "secret or none", {"name": "repository-token"},
            "Secret with the registry's login (type kubernetes.io/dockerconfigjson)."),
    Setting("replicas", "replicas", 1, "Number of pods of a client."),
    Setting("max_surge", "count or share", 1, "Pods more than replicas while a new version rolls out."),
    Setting("max_unavailable", "count or share", 0,
            "Pods less than replicas while a new version rolls out; 0 keeps serving with one replica."),
    Setting("min_ready_seconds", "seconds or none", 2,
            "Seconds that a new pod must have been ready before an old one may go; below 2 a busy kubelet may cost requests."),
    Setting("node_affinity", "affinity", {"key": "rarus", "values": ["lms"]},
            "Label of the nodes that a pod must run on, and its values; {} for any node."),
    Setting("environment", "variables", {},
            "Further environment variables, or other values for those of lms-config; a client's own join the catalogue's."),
    Setting("secret_environment", "secret variables", {},
            "Further environment variables whose values are in Secrets; a client's own join the catalogue's."),
    Setting("resources", "resources", {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
            "Requests and limits of the back end's container."),
    Setting("run_as_user", "user or group", 10001, "User id that a container runs as; never 0."),
    Setting("run_as_group", "user or group", 10001, "Group id that a container runs as."),
    Setting("fs_group", "user or group", 10001, "Group id that mounted files belong to."),
    Setting("readiness_probe", "probe", {"tcpSocket": {"port": 8080}, "periodSeconds": 2, "timeoutSeconds": 2, "failureThreshold": 3},
            "When a pod is ready to serve; {} for as soon as it runs."),
    Setting("liveness_probe", "probe", {}, "When a container is to be restarted; {} for never while it runs."),
    Setting("startup_probe", "probe", {}, "When a container has started, before the other probes begin; {} for at once."),
    Setting("pre_stop_seconds", "seconds or none", 5,
            "Seconds that a pod goes on serving after it was told to end, until no request comes any more."),
    Setting("termination_grace_seconds", "seconds or none", 30, "Seconds that a pod has to end, pre_stop_seconds included."),
    # Keys and messages
    Setting("keys_token_ttl_hours", "hours", 8, "Lifetime of a user's access token in hours."),
    Setting("keys_rsa_path", "key path", "/etc/lms/rsa_key", "Path of the private key in the container."),
    Setting("rsa_bits", "rsa bits", 2048, "Length of a client's private key in bits, when it is made.", macro=False),
    Setting("rsa_key_mode", "mode", "0440", "Mode of the private key's file, as octal digits in quotes."),
    Setting("rsa_key_secret", "secret key", {},
            "Secret with a private key (PEM) that you bring, instead of one that is made.", macro=False),
    Setting("sms4b_passcode_lifetime_seconds", "lifetime", 120, "Lifetime in seconds of the one-time code that confirms a phone."),
    Setting("sms4b_sender", "line", REQUIRED, "Sender of service SMS."),
    Setting("sms4b_secret", "secret key", {"name": "sms4b", "key": "token"}, "Secret with the token of the SMS API."),
    # Where keys and passwords are at home (docs/vault.md), and their escrow (docs/escrow.md)
    _catalogue("secret_store", "secret store",
               {"kind": "kubernetes", "url": "", "mount": "secret", "path": "lms", "namespace": "", "ca_file": "", "auth_method": "token",
                "auth_mount": "", "role_id": ""},
               "Where clients' keys and passwords are at home: in their Secrets alone, or in Vault or OpenBao, which these are made from.",
               macro=False),
    _catalogue("escrow_recipients", "age recipients", [],
               "Public keys (age) that each client's keys and passwords are encrypted to, for escrow; empty for no escrow.", macro=False),
    _catalogue("escrow_folder", "folder", "",
               "Folder on the controller for the encrypted copies, from the catalogue's folder or absolute.", macro=False),
    _catalogue("escrow_namespace", "namespace", "", "Another namespace for the encrypted copies, a Secret a client.", macro=False),
    # Databases
    _catalogue("database_prefix", "prefix", "",
               "What the names of databases and their users begin with; tells catalogues on one server apart."),
    _catalogue("take_over", "client ids", [],
               "Clients whose databases may be taken over though they bear no mark, or another catalogue's.", macro=False),
    Setting("postgres_host", "host", REQUIRED, "Host of the PostgreSQL server."),
    Setting("postgres_port", "port", 5432, "TCP port of the PostgreSQL server."),
    Setting("postgres_sslmode", "sslmode", "disable", "TLS to PostgreSQL, by libpq's words. verify-ca and verify-full need postgres_ca."),
    Setting("postgres_ca", "config key", {}, "ConfigMap with PostgreSQL's certificate authority (PEM)."),
    Setting("postgres_admin_database", "identifier", "postgres", "Database that the administrator connects to."),
    Setting("postgres_admin_secret", "database admin", {"name": "postgres-admin", "user_key": "user", "password_key": "password"},
            "Secret with the login of PostgreSQL's administrator."),
    Setting("postgres_client_image", "image", REQUIRED, "Image with bash and psql 15 or newer, for the Job."),
    Setting("clickhouse_host", "host", REQUIRED, "Host of the ClickHouse server."),
    Setting("clickhouse_port", "port", 9000, "TCP port of ClickHouse's native protocol."),
    Setting("clickhouse_secure", "boolean", False, "Whether ClickHouse is spoken to through TLS."),
    Setting("clickhouse_ca", "config key", {},
            "ConfigMap with ClickHouse's certificate authority (PEM); with it the host's name is checked too. Needs clickhouse_secure."),
    Setting("clickhouse_cluster", "cluster", "", "Cluster that databases and users are made on (ON CLUSTER); empty for the one server."),
    Setting("clickhouse_admin_secret", "database admin", {"name": "clickhouse-admin", "user_key": "user", "password_key": "password"},
            "Secret with the login of ClickHouse's administrator."),
    Setting("clickhouse_client_image", "image", REQUIRED, "Image with bash, sed and clickhouse-client, for the Job."),
    Setting("job_resources", "resources", {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
            "Requests and limits of the Jobs' containers."),
    Setting("job_deadline_seconds", "seconds", 300, "Seconds that a database Job may take, pulling its image included."),
    Setting("job_backoff_limit", "retries", 2, "How often a database Job is tried again before it has failed."),
    Setting("job_ttl_seconds", "seconds", 86_400, "Seconds that a database Job stays after its end, for who wants to look at it."),
    Setting("database_connect_seconds", "seconds", 10, "Seconds that a database Job waits for a connection to its server."),
    # Static files
    Setting("static_volume", "static volume", {"kind": "claim", "claim": "lms-static", "size": "10Gi", "storage_class": ""},
            "Static files: a claim in the namespace; nfs inside the pod, which Pod Security `restricted` refuses; or none."),
    Setting("nfs_server", "host", "", "File server of the static files: the claim's volume is made on it, or the pod mounts it."),
    Setting("nfs_path", "path", "/mnt/nfs", "Path that the file server exports."),
    # Publishing
    Setting("publish", "publish", "ingress",
            "How the public path is published: ingress (ingress-nginx annotations), httproute (Gateway API) or none."),
    Setting("public_dns", "public name", "", "Public DNS name of the service; needed unless publish is none."),
    Setting("cors", "boolean", True,
            "Whether the public path answers CORS; on httproute by the standard filter, where the GatewayClass lists HTTPRouteCORS."),
    Setting("ingress_class", "name", "nginx", "Class of the Ingress."),
    Setting("tls_secret", "secret", {"name": "tls"}, "Secret with the Ingress's certificate (type kubernetes.io/tls)."),
    Setting("gateway", "gateway", {}, "Gateway that an HTTPRoute joins, and the name of its listener; needed when publish is httproute."),
    Setting("probe", "public probe", "none",
            "Who asks the public path once the pods are ready: controller (this machine; it needs a route there), job (a short Job in the "
            "namespace) or none.", macro=False),
    Setting("probe_status", "http status", 200, "HTTP status with which the public path /C42/ answers when it serves.", macro=False),
    Setting("probe_ca_file", "file", "",
            "File with who signs the public certificate (PEM), on the controller; by default its own list.", macro=False),
    _catalogue("probe_image", "image", "", "Image with curl for the Job that asks the public path; needed when probe is job.", macro=False),
    # Whether an image's tag has moved on
    _catalogue("image_check", "image check", "none",
               "Who asks the image's registry, for status and diagnosis, whether the tag has a newer digest than the one that runs: "
               "controller (this machine, with the pull secret's login; it needs a route there) or none.", macro=False),
    _catalogue("image_ca_file", "file", "",
               "File with who signs the registry's certificate (PEM), on the controller; by default its own list.", macro=False),
    # How long a run waits
    _catalogue("wait_timeout_seconds", "seconds", 300, "Seconds that a rollout may take before it has failed."),
    _catalogue("apply_timeout_seconds", "seconds", 300, "Seconds after which one call that applies objects is given up.", macro=False),
    _catalogue("lease_seconds", "lease seconds", 20,
               "Seconds without a sign of life after which a run is taken for dead by the next one on its client.", macro=False),
    _catalogue("lease_wait_seconds", "seconds or none", 120,
               "Seconds to wait for another run on the same client before giving up; 0 gives up at once.", macro=False),
)
# fmt: on

_BY_NAME = {setting.name: setting for setting in SETTINGS}

# Variables that a setting or a Secret of the client's gives; as free variables they would be a second, silent way.
_GIVEN_BY_SETTING = {
    "LMS_KEYS_TOKEN_TTL_HOURS": "keys_token_ttl_hours",
    "LMS_KEYS_PRIVATE_KEY_PATH": "keys_rsa_path",
    "LMS_NOTIFICATIONS_SMS4B_PASSCODE_LIFETIME": "sms4b_passcode_lifetime_seconds",
    "LMS_NOTIFICATIONS_SMS4B_SENDER": "sms4b_sender",
    "LMS_NOTIFICATIONS_SMS4B_TOKEN": "sms4b_secret",
}
_GIVEN_BY_RUN = {
    "LMS_CLIENT_ID", "LMS_KEYS_SECRET_SEED", "LMS_STORAGE_POSTGRES_DSN", "LMS_STORAGE_CLICKHOUSE_DSN",
    "POSTGRES_USER", "POSTGRES_PASSWORD", "CLICKHOUSE_USER", "CLICKHOUSE_PASSWORD",
}  # fmt: skip
_SOUNDS_SECRET = re.compile(r".*(PASSWORD|PASSWD|SECRET|TOKEN|PRIVATE_KEY|API_KEY|CREDENTIALS?)")


def read_settings(given: t.Mapping[str, t.Any], *, catalogue: str = "") -> dict[str, t.Any]:
    """Return the catalogue's settings, typed and complete, under their names without lms_; no secret among them.

    given: the lms_* variables with their templates resolved; others are not looked at.
    catalogue: the name of the catalogue's host, for where lms_catalogue is not set.
    Raises InputError with every problem, one sentence each.
    """
    problems = _typos(given)
    ours = {name.removeprefix(PREFIX): value for name, value in given.items() if name.startswith(PREFIX)}
    settings = _read(SETTINGS, {**ours, "catalogue": ours.get("catalogue") or catalogue}, PREFIX, problems)
    settings["registry_namespace"] = settings.get("registry_namespace") or settings.get("namespace_id", "")
    settings["client_settings"] = _read_own(settings.get("client_settings", {}), problems)
    problems += _contradictions(settings, PREFIX)
    if not problems:
        for client in settings["client_settings"]:
            problems += _contradictions(settings_of(settings, ClientId.parse(client)), f"{PREFIX}client_settings.{client}.", known=problems)
    _raise(catalogue, problems)
    return {name: value for name, value in settings.items() if name == "api_root_url" or not _BY_NAME[name].connection}


def connection_of(given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the options of the connection that the catalogue sets, and none that it leaves to the environment (K8S_AUTH_*).

    Raises InputError with every problem; never with the token.
    """
    problems: list[str] = []
    rows = [setting for setting in SETTINGS if setting.connection]
    stripped = {name: value.strip() if isinstance(value, str) else value for name, value in given.items()}
    read = _read(rows, {row.name: stripped.get(row.variable) for row in rows}, PREFIX, problems)
    _raise("", problems)
    options = {"host": "api_root_url", "api_key": "api_token", "ca_cert": "api_ca_file", "validate_certs": "api_validate_certs"}
    return {option: read[name] for option, name in options.items() if read[name] != ""}


def settings_of(settings: t.Mapping[str, t.Any], client: ClientId) -> dict[str, t.Any]:
    """Return the settings that hold for one client: its own over the catalogue's.

    environment and secret_environment join; everything else replaces.
    """
    return _layered(settings, settings.get("client_settings", {}).get(client.id, {}))


def own_settings(given: t.Mapping[str, t.Any], client: str) -> dict[str, t.Any]:
    """Return the settings that one client has of its own, in their types, only those that were given. Raises InputError with every problem.

    client: its id, or "" for one that has none yet. How they go with the catalogue's is judged by `with_records`.
    """
    problems: list[str] = []
    own = _read_own({client: plain(given)}, problems, "settings.")
    _raise(client or "the new client", problems)
    return own[client]


def with_records(settings: t.Mapping[str, t.Any], records: t.Mapping[str, t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Return a catalogue's settings with what the clients' records have laid over its client_settings.

    records: by client id, with `settings` (the client's own, by name) and `phase`: a suspended client has no pods.
    Raises InputError with every problem of a record's settings.
    """
    problems: list[str] = []
    own = _read_own({client: record.get("settings") or {} for client, record in records.items()}, problems, "settings of {client}: ")
    of_clients = settings["client_settings"]
    result = {
        **settings,
        "client_settings": {**of_clients, **{client: _layered(of_clients.get(client, {}), own[client]) for client in own}},
    }
    for client in own if not problems else ():
        problems += _contradictions(settings_of(result, ClientId.parse(client)), f"settings of {client}: ")
    _raise(settings["catalogue"], problems)
    for client, record in records.items():
        if record.get("phase") == SUSPENDED:
            result["client_settings"][client] = {**result["client_settings"][client], "replicas": 0}
    return result


def _layered(below: t.Mapping[str, t.Any], above: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return one layer of settings over another."""
    joined = {name: {**below[name], **above[name]} for name in ("environment", "secret_environment") if name in below and name in above}
    return {**below, **above, **joined}


def _read(rows: t.Iterable[Setting], given: t.Mapping[str, t.Any], prefix: str, problems: list[str]) -> dict[str, t.Any]:
    """Return the rows' values in their types; what is left out or empty gets its default, what is wrong a sentence in problems."""
    result: dict[str, t.Any] = {}
    for row in rows:
        value = plain(given.get(row.name))
        if value is None or value == "":
            if row.default is REQUIRED:
                state = "is empty" if row.name in given else "is missing"
                problems.append(f"{prefix}{row.name}: {state}. Expected {row.kind.expected}.")
            else:
                result[row.name] = copy.deepcopy(row.default)
            continue
        try:
            result[row.name] = row.kind.read(prefix + row.name, value)
        except RefusedError as refused:
            problems += refused.sentences
    return result


def _read_own(
    clients: t.Mapping[str, t.Mapping[str, t.Any]], problems: list[str], place: str = PREFIX + "client_settings.{client}."
) -> dict[str, dict[str, t.Any]]:
    """Return each client's own settings in their types, only those that were given; place comes before a setting's name in a sentence."""
    result = {}
    for client, given in clients.items():
        prefix = place.format(client=client)
        for name in given:
            setting = _BY_NAME.get(name)
            if setting is None:
                problems.append(f"{prefix}{name}: there is no such setting.{_meant(name)}")
            elif not setting.own:
                problems.append(f"{prefix}{name}: belongs to the catalogue as a whole, not to one client. Set {setting.variable}.")
        rows = [setting for setting in SETTINGS if setting.own and given.get(setting.name) not in (None, "")]
        result[client] = _read(rows, given, prefix, problems)
    return result


def _typos(given: t.Mapping[str, t.Any]) -> list[str]:
    """Return a sentence for each lms_* variable that is no setting and looks like one; others are a catalogue's own helpers."""
    names = [name.removeprefix(PREFIX) for name in given if name.startswith(PREFIX)]
    return [f"{PREFIX}{name}: there is no such setting.{_meant(name, PREFIX)}" for name in names if name not in _BY_NAME and _meant(name)]


def _meant(name: str, prefix: str = "") -> str:
    """Return which setting a wrong name is meant to be, as a sentence after a blank; empty when none is near."""
    near = difflib.get_close_matches(name, _BY_NAME, n=1, cutoff=TYPO_CLOSENESS)
    return f" {prefix}{near[0]} is meant?" if near else ""


def _contradictions(settings: t.Mapping[str, t.Any], prefix: str, known: t.Container[str] = ()) -> list[str]:
    """Return a sentence for each setting that is right by itself and wrong beside another; what could not be read is passed over."""

    def value(name: str) -> t.Any:
        return settings.get(name, _BY_NAME[name].default)

    def missing(name: str, because: str) -> str:
        return f"{prefix}{name}: is missing, and {prefix}{because}. Expected {_BY_NAME[name].kind.expected}."

    sslmode, grace, wait = value("postgres_sslmode"), value("termination_grace_seconds"), value("wait_timeout_seconds")
    found = []
    # What another setting asks for: whether it does, the name and the empty value of what is missing, and why it is asked for.
    needs: tuple[tuple[bool, str, t.Any, str], ...] = (
        (value("publish") != "none", "public_dns", "", f"publish is {value('publish')}"),
        (value("publish") == "httproute", "gateway", {}, "publish is httproute"),
        (value("probe") == "job", "probe_image", "", "probe is job"),
        (value("static_volume")["kind"] == "nfs", "nfs_server", "", "static_volume.kind is nfs"),
        (sslmode.startswith("verify"), "postgres_ca", {}, f"postgres_sslmode is {sslmode}"),
    )
    found += [missing(name, because) for asked, name, empty, because in needs if asked and settings.get(name) == empty]
    if value("max_surge") in (0, "0%") and value("max_unavailable") in (0, "0%"):
        found.append(f"{prefix}max_unavailable: is 0 and so is {prefix}max_surge: no rollout could begin. Expected one of them above 0.")
    if value("min_ready_seconds") >= wait:
        found.append(f"{prefix}min_ready_seconds: is {value('min_ready_seconds')}. Expected fewer than wait_timeout_seconds ({wait}).")
    if value("pre_stop_seconds") >= grace:
        found.append(f"{prefix}pre_stop_seconds: is {value('pre_stop_seconds')}. Expected fewer than termination_grace_seconds ({grace}).")
    if value("run_as_user") == 0:
        found.append(f"{prefix}run_as_user: is 0, which is root. Expected the id of another user, such as 10001.")
    if value("clickhouse_ca") and not value("clickhouse_secure"):
        found.append(f"{prefix}clickhouse_ca: is set and {prefix}clickhouse_secure is false: nothing is checked without TLS.")
    found += _misplaced_variables(settings, prefix) + _escrow_without_a_place(settings, prefix)
    return [sentence for sentence in found if sentence not in known]


def _misplaced_variables(settings: t.Mapping[str, t.Any], prefix: str) -> list[str]:
    """Return a sentence for each free environment variable that has a place of its own, or sounds like a secret."""
    found = []
    for place in ("environment", "secret_environment"):
        for name in settings.get(place, {}):
            if name in _GIVEN_BY_SETTING:
                found.append(f"{prefix}{place}.{name}: has a setting of its own. Set {_GIVEN_BY_SETTING[name]}.")
            elif name in _GIVEN_BY_RUN:
                found.append(f"{prefix}{place}.{name}: is given by the client's own id and Secret. Leave it out.")
            elif place == "environment" and _SOUNDS_SECRET.fullmatch(name):
                found.append(f"{prefix}{place}.{name}: sounds like a secret. Put it into a Secret and name that under secret_environment.")
    return found


def _escrow_without_a_place(settings: t.Mapping[str, t.Any], prefix: str) -> list[str]:
    """Return a sentence where recipients of encrypted copies are named, and no place to put these."""
    if not settings.get("escrow_recipients") or settings.get("escrow_folder") or settings.get("escrow_namespace"):
        return []
    because = f"{prefix}escrow_recipients says who shall read the encrypted copies"
    return [f"{prefix}escrow_folder: is missing, and {because}. Expected a folder, or {prefix}escrow_namespace."]


def _raise(catalogue: str, problems: list[str]) -> None:
    """Raise all problems as one message; nothing when there are none."""
    if len(problems) == 1:
        raise InputError(problems[0], data={"problems": problems})
    if problems:
        title = f"{len(problems)} settings of {catalogue or 'the catalogue'} are wrong, nothing was touched:"
        raise InputError("\n  ".join([title, *problems]), data={"problems": problems})
