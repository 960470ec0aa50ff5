"""What stands between the lab and its users: the registry, the TLS proxy before the API and the registry, and the ingress controller."""
from __future__ import annotations

import base64
import ctypes
import secrets
from collections.abc import Callable

import cluster
import images
import probes
from layout import API_PATH, Lab, LabError
from processes import Component, Part, Step

REGISTRY_PORT = 5000
REGISTRY_USER = "lms"
REGISTRY_SECRET = "registry"
BCRYPT_COST = "05"  # as little work as the registry takes; every pull asks


def parts(lab: Lab, push_images: Callable[[], None]) -> list[Part]:
    """Registry, proxy, images, ingress. `push_images` is run as soon as the registry answers."""
    return [
        Component(
            "registry",
            ["docker-registry", "serve", str(lab.path("registry.yaml"))],
            lambda: probes.answers(f"{registry_url(lab)}/v2/", status=401),
            prepare=lambda: _write_registry(lab),
        ),
        Component(
            "nginx",
            ["nginx", "-c", str(lab.path("nginx.conf")), "-e", "/dev/stderr", "-g", "daemon off;"],
            lambda: probes.answers("https://registry.example/v2/", status=401, ca_file=lab.ca_file, address=lab.proxy),
            needs=["registry"],
            prepare=lambda: _write_nginx(lab),
        ),
        Step("images", push_images, needs=["registry"]),
        Step("api by the proxy", lambda: _check_proxy(lab), needs=["nginx", "kube-apiserver"]),
        Step("gateway api", lambda: _apply_gateway_api(lab), needs=["kube-apiserver"], once=True),
        Step("ingress objects", lambda: _apply_traefik(lab), needs=["gateway api", "kube-proxy"], once=True),
        Step("traefik", lambda: _wait_for_traefik(lab), needs=["ingress objects", *cluster.RUNS_PODS]),
    ]


# --- registry ----------------------------------------------------------------------------------------------------------------------------

def registry_url(lab: Lab) -> str:
    """Where images are pushed and the registry is asked without TLS."""
    return f"http://{lab.proxy}:{REGISTRY_PORT}"


def _write_registry(lab: Lab) -> None:
    folder = lab.path("registry")
    folder.mkdir(exist_ok=True)
    htpasswd = lab.path("secrets", "htpasswd")
    htpasswd.touch(mode=0o600)
    htpasswd.write_text(f"{REGISTRY_USER}:{_bcrypt(lab.secret(REGISTRY_SECRET))}\n")
    lab.path("registry.yaml").write_text(f"""version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: true}}}}
http: {{addr: "{lab.proxy}:{REGISTRY_PORT}", secret: {secrets.token_hex(16)}}}
auth: {{htpasswd: {{realm: registry.example, path: {htpasswd}}}}}
""")


def _bcrypt(password: str) -> str:
    """The bcrypt hash that htpasswd has, by the system's libcrypt (Python's own module for it has gone)."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    # bcrypt's base64 has its own order of letters; any 22 of them are a salt, the last one from a short list.
    salt = base64.b64encode(secrets.token_bytes(16), altchars=b"./").decode()[:21] + "e"
    hashed = crypt(password.encode(), f"$2b${BCRYPT_COST}${salt}".encode())
    if not hashed or hashed.startswith(b"*"):
        raise LabError("the registry's password could not be hashed: this system's libcrypt.so.1 knows no bcrypt.")
    return str(hashed.decode())


# --- proxy -------------------------------------------------------------------------------------------------------------------------------

def _write_nginx(lab: Lab) -> None:
    pki = lab.path("pki")
    scratch = lab.path("nginx")
    scratch.mkdir(exist_ok=True)
    folders = "\n".join(f"  {kind}_temp_path {scratch}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    tls = f"ssl_certificate {pki}/proxy.crt; ssl_certificate_key {pki}/proxy.key;"
    lab.path("nginx.conf").write_text(f"""user root;
worker_processes 1;
pid {scratch}/pid;
events {{ worker_connections 4096; }}
http {{
{folders}
  access_log {lab.log('nginx-access')};
  client_max_body_size 0;
  proxy_http_version 1.1;
  proxy_buffering off;
  proxy_request_buffering off;
  proxy_read_timeout 3600s;
  map $http_upgrade $connection_wanted {{ default upgrade; '' ''; }}
  upstream api {{ server {lab.node}:6443; keepalive 64; }}
  server {{
    listen {lab.proxy}:443 ssl;
    server_name rancher.example;
    {tls}
    proxy_ssl_trusted_certificate {lab.ca_file};
    proxy_ssl_verify on;
    proxy_ssl_name kubernetes;
    proxy_set_header Host $host;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_wanted;
    location = {API_PATH} {{ proxy_pass https://api/; }}
    location {API_PATH}/ {{ proxy_pass https://api/; }}
    location / {{ return 404; }}
  }}
  server {{
    listen {lab.proxy}:443 ssl;
    server_name registry.example;
    {tls}
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-Proto https;
    location / {{ proxy_pass {registry_url(lab)}; }}
  }}
}}
""")


def _check_proxy(lab: Lab) -> None:
    for path in (f"{API_PATH}/readyz", f"{API_PATH}//readyz"):
        url = f"https://rancher.example{path}"
        if not probes.answers(url, ca_file=lab.ca_file, address=lab.proxy):
            raise LabError(f"{url} does not answer although the API server does; see `logs nginx`.")


# --- ingress -----------------------------------------------------------------------------------------------------------------------------

def _apply_gateway_api(lab: Lab) -> None:
    cluster.kubectl(lab, "apply", "--server-side", "--force-conflicts", "-f", str((lab.bin / "gateway-api").resolve()))
    cluster.kubectl(lab, "wait", "crd", "--all", "--for=condition=Established", "--timeout=120s")


def _apply_traefik(lab: Lab) -> None:
    traefik = str((lab.bin / "traefik").resolve())
    cluster.apply(lab, "traefik.yaml.tmpl", image=images.SANDBOX, ingress=lab.ingress, traefik=traefik)
    certificate = [f"--cert={lab.path('pki', 'public.crt')}", f"--key={lab.path('pki', 'public.key')}"]
    secret = cluster.kubectl(lab, "-n", "gateway", "create", "secret", "tls", "public-tls", *certificate, "--dry-run=client", "-o", "json")
    cluster.kubectl(lab, "apply", "--server-side", "--force-conflicts", "-f", "-", text=secret)


def _wait_for_traefik(lab: Lab) -> None:
    cluster.rolled_out(lab, "traefik", "traefik")
    cluster.kubectl(lab, "-n", "gateway", "wait", "gateway/public", "--for=condition=Programmed", "--timeout=120s")
