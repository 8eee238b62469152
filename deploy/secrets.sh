#!/usr/bin/env bash
# Writes deploy/.env with a random secret for each part of the Compose file. A file that is there keeps its secrets and
# gets those that it lacks: the state of NATS and PostgreSQL depends on them.
set -euo pipefail
file=${1:-$(dirname "$0")/.env}
umask 077
touch "$file"
random() { openssl rand -hex 24; }
add() { grep -q "^$1=" "$file" || echo "$1=$2" >>"$file"; }

for name in ADMIN PLATFORM OBSERVER SHOP API SCHEDULER DASHBOARD {DEFAULT,SYNC,RULES,INTEL,ML,CDP}_WORKER; do
  add "NATS_${name}_PASSWORD" "$(random)"
done
for name in API SCHEDULER DASHBOARD {DEFAULT,SYNC,RULES,INTEL,ML,CDP}_WORKER; do
  add "POSTGRES_${name}_PASSWORD" "$(random)"
done
add POSTGRES_PASSWORD "$(random)"
add GRAFANA_PASSWORD "$(random)"
add STRATUM_CREDENTIALS_KEY "k1:$(openssl rand -base64 32)"
echo "Secrets are in $file." >&2
