#!/bin/sh
# Become a command that sees a lab: sh inside.sh FOLDER BIN COMMAND... (the lab's folder, and that of its programs).
# It is all that the verb exec does once it has found the lab; tests run thousands of commands, and call it without starting Python first.
folder=$1
export PATH="$2:$PATH" KUBECONFIG="$folder/pki/admin.kubeconfig" LAB_STATE="$folder/lab.json"
shift 2
# $0 is the file with the lab's names; this process and its children alone see it.
# shellcheck disable=SC2016  # it is the inner shell that expands what is quoted
exec unshare --mount --propagation=private -- sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$folder/hosts" "$@"
