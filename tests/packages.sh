#!/usr/bin/env bash
# The Debian packages that the tests use as real parts; installed where we may, named where we may not.
# `soak` and `bench` as the argument ask for those that only these use; `--only` behind `soak` as the soak takes it.
set -euo pipefail
missing=()
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing+=("$2"); }
need mosquitto mosquitto
need mosquitto_sub mosquitto-clients
need prometheus prometheus
need rsync rsync
need lsyncd lsyncd
need socat socat
need git git
need openssl openssl
need gcc gcc
[ -e /usr/include/stdio.h ] || missing+=(libc6-dev)
need ip iproute2
need systemd-analyze systemd
if [ "${1:-}" = soak ]; then  # the trees from outside, all of them where none is named
  words=" ${*//=/ } "
  wanted() { [[ "$words" != *" --only "* || "$words" == *" $1 "* ]]; }
  if wanted packages; then need dpkg-deb dpkg; fi
  if wanted database; then need psql postgresql; fi
  if wanted office; then need soffice libreoffice-writer-nogui; fi
fi
if [ "${1:-}" = bench ]; then  # the peers
  need syncthing syncthing
  need borg borgbackup
  need restic restic
fi
[ "${#missing[@]}" -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # The services themselves must not start: each test starts its own, on ports of its own.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"; trap 'rm -f "$policy"' EXIT; fi
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "these Debian packages are missing, and only root may install them: apt-get install ${missing[*]}" >&2
  exit 1
fi
