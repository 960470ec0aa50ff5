"""Kubernetes, from etcd to a ready node: each component as data, and the objects that the cluster itself runs on."""
from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from string import Template

import commands
import images
import network
import probes
from layout import CONTAINERD_SOCKET, DNS_SERVICE, NODE, SERVICES, Lab, LabError
from processes import Component, Part, Step

MANIFESTS = Path(__file__).parent / "manifests"
ROLLOUT_SECONDS = 120
RUNS_PODS = ("node ready", "kube-proxy", "scheduler", "controller-manager")
DEPLOYMENTS = (("kube-system", "coredns"), ("traefik", "traefik"))  # what the cluster runs in pods
DISK_SIGNALS = ("nodefs.available", "nodefs.inodesFree", "imagefs.available", "imagefs.inodesFree")  # a full disk is not the lab's to judge
CNI_PROGRAMS = "/usr/lib/cni"
SERVICES_ROUTED = "kubeproxy_sync_proxy_rules_last_timestamp_seconds"  # kube-proxy's own metric: when it last wrote all rules
# How long a pretended node may be silent: under the load of a thousand pods its word comes late, and its pods would count as away.
PRETENDED_NODES_PATIENCE = "--node-monitor-grace-period=900s"


def parts(lab: Lab) -> list[Part]:
    """Everything of the cluster but the ingress, in an order in which each part follows what it needs."""
    return [*_control_plane(lab), *_node(lab), *_pretended(lab)]


def kubectl(lab: Lab, *argv: str, text: str = "") -> str:
    """Run kubectl as the lab's administrator; returns its output, raises LabError with kubectl's own words."""
    command = [str(lab.bin / "kubectl"), f"--kubeconfig={lab.kubeconfig}", f"--cache-dir={lab.path('kubectl')}", *argv]
    return commands.run(command, "kubectl failed", text=text)


def apply(lab: Lab, manifest: str, **values: str) -> None:
    """Apply tests/lab/manifests/`manifest`, with $names replaced."""
    text = Template((MANIFESTS / manifest).read_text()).substitute(values)
    kubectl(lab, "apply", "--server-side", "--force-conflicts", "-f", "-", text=text)


def rolled_out(lab: Lab, namespace: str, deployment: str) -> None:
    """Wait until the Deployment serves; the error says what its pods say and wrote last."""
    try:
        kubectl(lab, "-n", namespace, "rollout", "status", f"deployment/{deployment}", f"--timeout={ROLLOUT_SECONDS}s")
    except LabError as error:
        pods = kubectl(lab, "-n", namespace, "get", "pods,events", "-o", "wide")
        try:
            log = kubectl(lab, "-n", namespace, "logs", f"deployment/{deployment}", "--tail=20")
        except LabError as unreadable:
            log = str(unreadable)
        raise LabError(f"{deployment} does not serve: {error}\n{pods}\n{log}") from error


def serves(lab: Lab, namespace: str, deployment: str) -> bool:
    """Whether the Deployment has a pod that serves, as the API server has it."""
    try:
        available = kubectl(lab, "-n", namespace, "get", f"deployment/{deployment}", "-o", "jsonpath={.status.availableReplicas}")
    except LabError:
        return False
    return available not in ("", "0")


# --- control plane -----------------------------------------------------------------------------------------------------------------------

def _control_plane(lab: Lab) -> list[Part]:
    pki = lab.path("pki")

    def healthy(port: int, path: str = "/healthz") -> bool:
        return probes.answers(f"https://{lab.node}:{port}{path}")

    return [
        Component(
            "etcd",
            [
                "etcd", "--name=lab", f"--data-dir={lab.path('etcd')}", "--listen-client-urls=http://127.0.0.1:2379",
                "--advertise-client-urls=http://127.0.0.1:2379", "--listen-peer-urls=http://127.0.0.1:2380",
                "--initial-advertise-peer-urls=http://127.0.0.1:2380", "--initial-cluster=lab=http://127.0.0.1:2380",
                f"--listen-metrics-urls=http://{lab.node}:2381", "--unsafe-no-fsync", "--log-level=warn",
            ],
            lambda: probes.answers(f"http://{lab.node}:2381/health"),
        ),
        Component(
            "kube-apiserver",
            _apiserver(lab),
            lambda: probes.answers(f"{lab.api}/readyz", ca_file=lab.ca_file),
            needs=["etcd"],
        ),
        Component(
            "controller-manager",
            [
                "kube-controller-manager", f"--kubeconfig={pki}/controller-manager.kubeconfig", f"--bind-address={lab.node}",
                "--use-service-account-credentials", f"--service-account-private-key-file={pki}/service-accounts.key",
                f"--root-ca-file={lab.ca_file}", f"--cluster-signing-cert-file={lab.ca_file}", f"--cluster-signing-key-file={pki}/ca.key",
                "--leader-elect=false", "--kube-api-qps=200", "--kube-api-burst=400", "--profiling=false",
                *([PRETENDED_NODES_PATIENCE] if lab.pretended_nodes else []),
            ],
            lambda: healthy(10257),
            needs=["kube-apiserver"],
        ),
        Component(
            "scheduler",
            [
                "kube-scheduler", f"--kubeconfig={pki}/scheduler.kubeconfig", f"--bind-address={lab.node}", "--leader-elect=false",
                "--kube-api-qps=200", "--kube-api-burst=400", "--profiling=false",
            ],
            lambda: healthy(10259),
            needs=["kube-apiserver"],
        ),
    ]


def _apiserver(lab: Lab) -> list[str]:
    pki = lab.path("pki")
    return [
        "kube-apiserver", f"--bind-address={lab.node}", f"--advertise-address={lab.node}", "--secure-port=6443",
        "--etcd-servers=http://127.0.0.1:2379", f"--service-cluster-ip-range={SERVICES}", f"--client-ca-file={lab.ca_file}",
        f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/service-accounts.key", f"--service-account-signing-key-file={pki}/service-accounts.key",
        "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt", f"--kubelet-client-key={pki}/apiserver-kubelet.key",
        f"--kubelet-certificate-authority={lab.ca_file}", "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={MANIFESTS / 'audit-policy.yaml'}", f"--audit-log-path={lab.path('audit.log')}", "--audit-log-maxsize=2000",
        "--profiling=false",
    ]


def _apply_system(lab: Lab) -> None:
    hosts = "\n            ".join(f"{address} {name}" for name, address in lab.names.items())
    coredns = str((lab.bin / "coredns").resolve())
    apply(lab, "system.yaml.tmpl", hosts=hosts, image=images.SANDBOX, coredns=coredns, dns=DNS_SERVICE)


# --- the node ----------------------------------------------------------------------------------------------------------------------------

def _node(lab: Lab) -> list[Part]:
    pki = lab.path("pki")
    return [
        Component(
            "containerd",
            ["containerd", "--config", str(lab.path("containerd.toml"))],
            lambda: "Server:" in _ctr(lab, "version"),
            prepare=lambda: _write_containerd(lab),
        ),
        Step("sandbox image", lambda: _import_sandbox(lab), needs=["containerd"], once=True),
        Component(
            "kubelet",
            [
                "kubelet", f"--config={lab.path('kubelet.yaml')}", f"--kubeconfig={pki}/kubelet.kubeconfig",
                f"--hostname-override={NODE}", f"--node-ip={lab.node}", "--node-labels=rarus=lms", "--root-dir=/var/lib/kubelet",
            ],
            lambda: probes.answers(f"http://{lab.node}:10248/healthz"),
            needs=["kube-apiserver", "sandbox image"],
            prepare=lambda: _write_kubelet(lab),
        ),
        Step("node ready", lambda: _node_ready(lab), needs=["kubelet"]),
        Component(
            "kube-proxy",
            ["kube-proxy", f"--config={lab.path('kube-proxy.yaml')}", f"--hostname-override={NODE}"],
            lambda: probes.metric(f"http://{lab.node}:10249/metrics", SERVICES_ROUTED) > 0,
            needs=["node ready"],
            prepare=lambda: _write_kube_proxy(lab),
        ),
        # Not before Services are routed: a pod that asks for one earlier waits half a minute for its connection to be given up.
        Step("system objects", lambda: _apply_system(lab), needs=["kube-proxy"], once=True),
        Component(
            "netpol",
            ["netpol", f"--kubeconfig={pki}/netpol.kubeconfig", f"--node-name={NODE}", f"--service-cidr={SERVICES}"],
            lambda: True,
            needs=["system objects", "node ready"],
        ),
        Step("coredns", lambda: rolled_out(lab, "kube-system", "coredns"), needs=["system objects", *RUNS_PODS]),
    ]


def _ctr(lab: Lab, *argv: str) -> str:
    """Run containerd's own client inside the lab; its output, empty where it fails."""
    holder = network.find_holders(lab.state)
    command = [*network.inside(holder[0]), str(lab.bin / "ctr"), "--address", CONTAINERD_SOCKET, "--namespace", "k8s.io", *argv]
    return commands.attempt(command).stdout


def _import_sandbox(lab: Lab) -> None:
    archive = images.sandbox_archive(lab.state)
    _ctr(lab, "images", "import", str(archive))
    if images.SANDBOX not in _ctr(lab, "images", "list", "-q"):
        raise LabError(f"the sandbox image {images.SANDBOX} could not be imported; see `logs containerd`.")


def _node_ready(lab: Lab) -> None:
    wanted = "jsonpath={.status.conditions[?(@.type=='Ready')].status}=True"
    kubectl(lab, "wait", "node", NODE, "--for=create", "--timeout=120s")
    kubectl(lab, "wait", "node", NODE, f"--for={wanted}", "--timeout=120s")


def _write_containerd(lab: Lab) -> None:
    certs = lab.path("certs.d")
    host = certs / "registry.example"
    host.mkdir(parents=True, exist_ok=True)
    host.joinpath("hosts.toml").write_text(f'server = "https://registry.example"\nca = "{lab.ca_file}"\n')
    lab.path("cni").mkdir(exist_ok=True)
    bridge = {
        "type": "bridge", "bridge": "pods", "isGateway": True, "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": lab.pods}]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    lab.path("cni", "lab.conflist").write_text(json.dumps({"cniVersion": "1.0.0", "name": "lab", "plugins": [bridge, ports]}, indent=1))
    lab.path("containerd.toml").write_text(f"""version = 3
root = "{lab.path('containerd')}"
state = "/run/containerd"
[grpc]
  address = "{CONTAINERD_SOCKET}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{images.SANDBOX}"
[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "{certs}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["{CNI_PROGRAMS}"]
    conf_dir = "{lab.path('cni')}"
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "runc"
      SystemdCgroup = false
""")


def _write_kubelet(lab: Lab) -> None:
    pki = lab.path("pki")
    lab.path("pod-logs").mkdir(exist_ok=True)
    _write(lab.path("kubelet.yaml"), {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": lab.node,
        "healthzBindAddress": lab.node,
        "tlsCertFile": str(pki / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet-server.key"),
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": {"clientCAFile": str(lab.ca_file)}},
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{lab.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "podLogsDir": str(lab.path("pod-logs")),
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "serializeImagePulls": False,
        "maxPods": 220,
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {"memory.available": "100Mi", **dict.fromkeys(DISK_SIGNALS, "0%")},
        "shutdownGracePeriod": "0s",
    })


def _write_kube_proxy(lab: Lab) -> None:
    _write(lab.path("kube-proxy.yaml"), {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "bindAddress": lab.node,
        "healthzBindAddress": f"{lab.node}:10256",
        "metricsBindAddress": f"{lab.node}:10249",
        "clientConnection": {"kubeconfig": str(lab.path("pki", "kube-proxy.kubeconfig"))},
        "clusterCIDR": lab.pods,
        "iptables": {"minSyncPeriod": "0s", "syncPeriod": "30s"},
        # The connection table belongs to the whole machine.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    })


def _write(path: Path, document: object) -> None:
    path.write_text(json.dumps(document, indent=1))


# --- nodes that only pretend -------------------------------------------------------------------------------------------------------------

def _pretended(lab: Lab) -> list[Part]:
    if not lab.pretended_nodes:
        return []
    selector = "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake"
    kubeconfig = f"--kubeconfig={lab.path('pki')}/kwok.kubeconfig"
    return [
        Component(
            "kwok",
            [
                "kwok", kubeconfig, f"--config={MANIFESTS / 'kwok.conf'}", "--manage-all-nodes=false", selector, "--cidr=10.217.0.0/16",
                f"--node-ip={lab.node}", f"--server-address={lab.node}:10247",
            ],
            lambda: probes.accepts(lab.node, 10247),
            needs=["kube-apiserver"],
        ),
        Step("pretended nodes", lambda: _apply_nodes(lab), needs=["kwok"]),
    ]


def pretended_node(number: int) -> dict[str, object]:
    """A node that kwok answers for (manifests/kwok.conf); pods that ask for `rarus: pretended` land there."""
    name = f"pretended-{number}"
    labels = {"rarus": "pretended", "kubernetes.io/hostname": name}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": {"kwok.x-k8s.io/node": "fake"}, "labels": labels},
    }


def _apply_nodes(lab: Lab) -> None:
    nodes: Sequence[dict[str, object]] = [pretended_node(number) for number in range(lab.pretended_nodes)]
    kubectl(lab, "apply", "--server-side", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": nodes}))
