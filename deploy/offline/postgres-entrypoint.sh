#!/usr/bin/env bash
# What the official image does, in short: a cluster in PGDATA with POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB.
set -euo pipefail
export PGDATA=${PGDATA:-/var/lib/postgresql/data}
user=${POSTGRES_USER:-postgres}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD}"
  initdb --username "$user" --pwfile <(echo "$POSTGRES_PASSWORD") --auth-local trust --auth-host scram-sha-256 --encoding UTF8 --locale C
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  pg_ctl --wait --options "-c listen_addresses=''" start
  database=${POSTGRES_DB:-$user}
  [ "$database" = postgres ] || psql --username "$user" --dbname postgres --command "CREATE DATABASE \"$database\""
  pg_ctl --wait stop
fi
[ "${1:-}" = postgres ] && shift
exec postgres -c listen_addresses='*' "$@"
