"""The lab's private certificate authority, its certificates, and the kubeconfigs made of them; once per lab, by openssl."""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import commands
from layout import CATALOGUES, FIRST_SERVICE, NODE, Lab

DAYS = "3650"
CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass(frozen=True)
class Certificate:
    """One certificate: file name, who it names, and for which host names and addresses it is good."""

    file: str
    name: str
    group: str = ""
    hosts: tuple[str, ...] = ()
    kubeconfig: bool = False


def certificates(lab: Lab) -> list[Certificate]:
    kubernetes = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost")
    public = tuple(f"*.{catalogue}.example" for catalogue in CATALOGUES)
    return [
        Certificate("apiserver", "kube-apiserver", hosts=(*kubernetes, FIRST_SERVICE, lab.node, "127.0.0.1")),
        Certificate("apiserver-kubelet", "kube-apiserver-kubelet", "system:masters"),
        Certificate("kubelet-server", NODE, hosts=(NODE, lab.node)),
        Certificate("admin", "lab-administrator", "system:masters", kubeconfig=True),
        Certificate("controller-manager", "system:kube-controller-manager", kubeconfig=True),
        Certificate("scheduler", "system:kube-scheduler", kubeconfig=True),
        Certificate("kubelet", f"system:node:{NODE}", "system:nodes", kubeconfig=True),
        Certificate("kube-proxy", "system:kube-proxy", kubeconfig=True),
        Certificate("netpol", "lab:netpol", kubeconfig=True),
        Certificate("kwok", "lab:kwok", "system:masters", kubeconfig=True),
        Certificate("proxy", "rancher.example", hosts=("rancher.example", "registry.example")),
        Certificate("public", "lms.example", hosts=public),
    ]


def ensure(lab: Lab) -> None:
    """Make what is missing of the authority, the key of service accounts, all certificates and kubeconfigs."""
    folder = lab.path("pki")
    folder.mkdir(exist_ok=True)
    config = folder / "openssl.cnf"
    config.write_text(CONFIG)
    if not lab.ca_file.exists():
        subject = ["-subj", "/O=rarus.lms lab/CN=rarus.lms lab CA", "-extensions", "ca", "-days", DAYS]
        _openssl("req", "-x509", *CURVE, "-config", str(config), *subject, "-keyout", str(folder / "ca.key"), out=lab.ca_file)
    if not (folder / "service-accounts.key").exists():
        _openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", out=folder / "service-accounts.key")
    for certificate in certificates(lab):
        if not (folder / f"{certificate.file}.crt").exists():
            _make(lab, certificate, config)
        if certificate.kubeconfig:
            _write_kubeconfig(lab, certificate.file)


def _make(lab: Lab, certificate: Certificate, config: Path) -> None:
    folder = config.parent
    subject = (f"/O={certificate.group}" if certificate.group else "") + f"/CN={certificate.name}"
    names = ",".join(f"{'IP' if host.replace('.', '').isdigit() else 'DNS'}:{host}" for host in certificate.hosts)
    _openssl(
        "req", "-x509", *CURVE, "-config", str(config), "-subj", subject, "-extensions", "leaf", "-days", DAYS,
        *(["-addext", f"subjectAltName={names}"] if names else []),
        "-CA", str(lab.ca_file), "-CAkey", str(folder / "ca.key"), "-keyout", str(folder / f"{certificate.file}.key"),
        out=folder / f"{certificate.file}.crt",
    )


def _write_kubeconfig(lab: Lab, name: str) -> None:
    folder = lab.path("pki")
    user = {"client-certificate": str(folder / f"{name}.crt"), "client-key": str(folder / f"{name}.key")}
    cluster = {"server": lab.api, "certificate-authority": str(lab.ca_file)}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": name}}],
        "current-context": "lab",
    }
    (folder / f"{name}.kubeconfig").write_text(json.dumps(document, indent=1))


def _openssl(*argv: str, out: Path) -> None:
    """Run openssl with its result in `out`, which appears only when it is whole."""
    partial = out.with_suffix(".partial")
    commands.run(["openssl", *argv, "-out", str(partial)], f"openssl could not make {out}")
    partial.rename(out)
