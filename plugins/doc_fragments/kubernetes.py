# Copyright: (c) 2026, the rarus.lms authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say which cluster is talked to, and by whom."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragment `rarus.lms.kubernetes`; names, aliases and variables are those of kubernetes.core."""

    DOCUMENTATION = r"""
options:
  host:
    description:
      - Root URL of the cluster's API, with a path where a proxy such as Rancher's serves it
        (V(https://rancher.example/k8s/clusters/c-abcde)), with or without a slash at its end.
      - V(http://) is taken for the loopback address only, because a token would be readable on the way.
      - Falls back to the environment variable E(K8S_AUTH_HOST).
    type: str
  api_key:
    description:
      - Bearer token for the API.
      - Falls back to the environment variable E(K8S_AUTH_API_KEY).
    type: str
  ca_cert:
    description:
      - PEM file with the certificate authority that signed the API's certificate. The machine's own list is used otherwise.
      - Falls back to the environment variables E(K8S_AUTH_CA_CERT) and E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  validate_certs:
    description:
      - Whether the API's certificate must be valid. It must, unless this or the kubeconfig says otherwise.
      - Falls back to the environment variables E(K8S_AUTH_VALIDATE_CERTS) and E(K8S_AUTH_VERIFY_SSL).
    type: bool
    aliases: [verify_ssl]
  kubeconfig:
    description:
      - Kubeconfig file, read unless O(host) comes with O(api_key) or with O(client_cert) and O(client_key).
      - Without any of them, the service account of the pod that this runs in is used, or V(~/.kube/config) outside a pod.
      - Falls back to the environment variable E(K8S_AUTH_KUBECONFIG).
    type: path
  context:
    description:
      - Context of the kubeconfig, its current one by default.
      - Falls back to the environment variable E(K8S_AUTH_CONTEXT).
    type: str
  client_cert:
    description:
      - PEM file with a client certificate.
      - Falls back to the environment variables E(K8S_AUTH_CLIENT_CERT) and E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - PEM file with the key of O(client_cert).
      - Falls back to the environment variables E(K8S_AUTH_CLIENT_KEY) and E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  proxy:
    description:
      - URL of an HTTP proxy on the way to the API.
      - Falls back to the environment variable E(K8S_AUTH_PROXY), then to E(HTTPS_PROXY) and its like.
    type: str
notes:
  - An answer is awaited for 30 seconds, and a request that is safe to repeat is repeated for 12. The controller's environment variables
    E(RARUS_LMS_READ_SECONDS) and E(RARUS_LMS_REPEAT_SECONDS) set other times.
requirements:
  - kubernetes >= 30.0.0, but not 36.0.0 or 36.0.1 (they do not send the token)
"""
