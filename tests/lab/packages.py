"""What the lab takes from Debian: installed by apt-get when it is missing, with no service started or left to start at boot."""
from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import locks
from layout import LabError, cache_root

# package -> a file that proves it, from whatever source it came
PROOFS = {
    "busybox-static": "/usr/bin/busybox",
    "ca-certificates": "/etc/ssl/certs/ca-certificates.crt",
    "conntrack": "/usr/sbin/conntrack",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "curl": "/usr/bin/curl",
    "docker-registry": "/usr/bin/docker-registry",
    "iproute2": "/usr/bin/ip",
    "ipset": "/usr/sbin/ipset",
    "iptables": "/usr/sbin/iptables",
    "mount": "/usr/bin/mount",
    "nginx-light": "/usr/sbin/nginx",
    "openssl": "/usr/bin/openssl",
    "postgresql-15": "/usr/lib/postgresql/15/bin/postgres",
    "runc": "/usr/sbin/runc",
}
SERVICES = {"docker-registry": "docker-registry", "nginx-light": "nginx", "postgresql-15": "postgresql"}  # package -> what it enables

POLICY = Path("/usr/sbin/policy-rc.d")
NO_SERVICES = "#!/bin/sh\n# The lab of rarus.lms, for the time of one apt-get: start no service.\nexit 101\n"
CLUSTER_SETTING = Path("/etc/postgresql-common/createcluster.d/rarus-lms.conf")
NO_CLUSTER = "# The lab of rarus.lms, for the time of one apt-get.\ncreate_main_cluster = false\n"
LOCK_PATIENCE = 600  # seconds that apt-get waits for another one
APT = ["apt-get", "--quiet", "--yes", "--no-install-recommends", "-o", f"DPkg::Lock::Timeout={LOCK_PATIENCE}", "-o", "Dpkg::Use-Pty=0"]

Report = Callable[[str], None]


def ensure(*, report: Report) -> None:
    """Install the Debian packages of every lab that are missing. Raises LabError."""
    if names := missing():
        _install(names, report)


def ensure_maven(*, report: Report) -> None:
    """Install Maven where it is missing: only further PostgreSQL majors need it. Raises LabError."""
    if not shutil.which("mvn"):
        _install(["maven"], report)


def missing() -> list[str]:
    """The packages whose proof is not there."""
    names = [package for package, file in PROOFS.items() if not Path(file).exists()]
    return names if importlib.util.find_spec("ensurepip") else [*names, "python3-venv"]


def _install(names: list[str], report: Report) -> None:
    if not shutil.which("apt-get"):
        raise LabError(f"the lab needs {', '.join(names)}, and there is no apt-get here: install them, or use Debian 12.")
    with locks.held(cache_root() / "packages.lock"):
        report(f"installing {', '.join(names)} from Debian")
        with _file_for_now(POLICY, NO_SERVICES, 0o755), _file_for_now(CLUSTER_SETTING, NO_CLUSTER, 0o644):
            _apt("update")
            _apt("install", *names)
        for service in (SERVICES[name] for name in names if name in SERVICES):
            subprocess.run(["update-rc.d", service, "disable"], capture_output=True, check=False)


@contextmanager
def _file_for_now(path: Path, text: str, mode: int) -> Iterator[None]:
    """Have `path` for a while; one that somebody else wrote stands and stays."""
    if path.exists() and path.read_text() != text:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _apt(*argv: str) -> None:
    """Run apt-get. Raises LabError with its own reason."""
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run([*APT, *argv], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line[3:] for line in (done.stderr + done.stdout).splitlines() if line.startswith("E: ")]
        reason = "; ".join(errors) or done.stderr.strip()[-300:] or f"exit code {done.returncode}"
        raise LabError(f"`apt-get {' '.join(argv)}` failed ({reason}): mend that, or install the packages yourself, and start again.")
