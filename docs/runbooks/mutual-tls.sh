#!/bin/sh
# A cluster of three members that talk mutual TLS, to clients and to each other, from nothing: make
# certificates, start the members, write, take a snapshot, ask for their status, stop them.
# Everything goes into one new directory, which is removed at the end.
#
#   ETCD      command that starts a member             (default: etcd)
#   ETCD_2    command that starts the second member    (default: as ETCD)
#   ETCDCTL   the client                               (default: etcdctl)
#   PORTS     of members and their peers, six numbers  (default: 32379 to 32384)
set -eu
ETCD=${ETCD:-etcd}
ETCD_2=${ETCD_2:-$ETCD}
ETCDCTL=${ETCDCTL:-etcdctl}
PORTS=${PORTS:-32379 32380 32381 32382 32383 32384}
export ETCDCTL_API=3

directory=$(mktemp -d)
servers=
stop() {
  for server in $servers; do
    { kill "$server" && wait "$server"; } 2>/dev/null || true
  done
  rm -rf "$directory"
}
trap stop EXIT INT TERM
cd "$directory"

# An authority, and a pair for each member, which is both a server and a client of its peers, and
# one for the client.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
  -subj "/CN=runbook authority" -keyout ca-key.pem -out ca.pem 2>/dev/null
pair() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
    -keyout "$1-key.pem" -out "$1.csr" 2>/dev/null
  printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=%s\n' "$2" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 \
    -extfile "$1.ext" -out "$1.pem" 2>/dev/null
}
for name in one two three; do pair "$name" serverAuth,clientAuth; done
pair client clientAuth

# shellcheck disable=SC2086 # they are several
set -- $PORTS
url() { echo "https://127.0.0.1:$1"; }
endpoints=$(url "$1"),$(url "$3"),$(url "$5")
cluster=one=$(url "$2"),two=$(url "$4"),three=$(url "$6")

# start NAME CLIENT_PORT PEER_PORT COMMAND
start() {
  # shellcheck disable=SC2086 # the command may have words
  $4 --name "$1" --data-dir "data-$1" \
    --listen-client-urls "$(url "$2")" --advertise-client-urls "$(url "$2")" \
    --listen-peer-urls "$(url "$3")" --initial-advertise-peer-urls "$(url "$3")" \
    --initial-cluster "$cluster" --initial-cluster-state new \
    --cert-file "$1.pem" --key-file "$1-key.pem" --trusted-ca-file ca.pem --client-cert-auth \
    --peer-cert-file "$1.pem" --peer-key-file "$1-key.pem" --peer-trusted-ca-file ca.pem \
    --peer-client-cert-auth >"$1.log" 2>&1 &
  servers="$servers $!"
}
start one "$1" "$2" "$ETCD"
start two "$3" "$4" "$ETCD_2"
start three "$5" "$6" "$ETCD"

ctl() {
  # shellcheck disable=SC2086
  $ETCDCTL --cacert ca.pem --cert client.pem --key client-key.pem "$@"
}
attempts=50
until ctl --endpoints "$endpoints" endpoint health >/dev/null 2>&1; do
  attempts=$((attempts - 1))
  [ "$attempts" -gt 0 ] || { echo "the cluster does not answer:" >&2; cat ./*.log >&2; exit 1; }
  for server in $servers; do
    kill -0 "$server" 2>/dev/null || { echo "a member ended:" >&2; cat ./*.log >&2; exit 1; }
  done
  sleep 0.2
done

# What is written through one member is read through another.
ctl --endpoints "$(url "$1")" put runbook works
ctl --endpoints "$(url "$3")" get runbook
ctl --endpoints "$(url "$5")" snapshot save snapshot.db
ctl snapshot status snapshot.db -w table
ctl --endpoints "$endpoints" member list -w table
ctl --endpoints "$endpoints" endpoint status -w table
echo "runbook done"
