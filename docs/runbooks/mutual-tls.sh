#!/bin/sh
# A member that talks mutual TLS, from nothing: make certificates, start it, write, take a snapshot,
# ask for its status, stop it. Everything goes into one new directory, which is removed at the end.
#
#   ETCD      command that starts the server   (default: etcd)
#   ETCDCTL   the client                       (default: etcdctl)
#   PORT      of the clients (default: 32379)
#   PEER_PORT of the peers (default: the next one)
set -eu
ETCD=${ETCD:-etcd}
ETCDCTL=${ETCDCTL:-etcdctl}
PORT=${PORT:-32379}
PEER_PORT=${PEER_PORT:-$((PORT + 1))}
export ETCDCTL_API=3

directory=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
  rm -rf "$directory"
}
trap stop EXIT INT TERM
cd "$directory"

# An authority, and one pair for the server, its peers and the client.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
  -subj "/CN=runbook authority" -keyout ca-key.pem -out ca.pem 2>/dev/null
pair() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
    -keyout "$1-key.pem" -out "$1.csr" 2>/dev/null
  printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=%s\n' "$2" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 \
    -extfile "$1.ext" -out "$1.pem" 2>/dev/null
}
pair server serverAuth,clientAuth
pair client clientAuth

client_url="https://127.0.0.1:$PORT"
peer_url="https://127.0.0.1:$PEER_PORT"
# shellcheck disable=SC2086 # the command may have words
$ETCD --name runbook --data-dir data \
  --listen-client-urls "$client_url" --advertise-client-urls "$client_url" \
  --listen-peer-urls "$peer_url" --initial-advertise-peer-urls "$peer_url" \
  --initial-cluster "runbook=$peer_url" \
  --cert-file server.pem --key-file server-key.pem --trusted-ca-file ca.pem --client-cert-auth \
  --peer-cert-file server.pem --peer-key-file server-key.pem --peer-trusted-ca-file ca.pem \
  --peer-client-cert-auth >server.log 2>&1 &
server=$!

ctl() {
  # shellcheck disable=SC2086
  $ETCDCTL --endpoints "$client_url" --cacert ca.pem --cert client.pem --key client-key.pem "$@"
}
attempts=50
until ctl endpoint health >/dev/null 2>&1; do
  attempts=$((attempts - 1))
  [ "$attempts" -gt 0 ] || { echo "the server does not answer:" >&2; cat server.log >&2; exit 1; }
  kill -0 "$server" 2>/dev/null || { echo "the server ended:" >&2; cat server.log >&2; exit 1; }
  sleep 0.2
done

ctl put runbook works
ctl get runbook
ctl snapshot save snapshot.db
ctl snapshot status snapshot.db -w table
ctl endpoint status -w table
echo "runbook done"
