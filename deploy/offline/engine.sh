#!/usr/bin/env bash
# Runs a command with a container engine, Compose and BuildKit: deploy/offline/engine.sh docker compose -f deploy/compose.yaml ps
# An engine that answers already is used as it is. Otherwise, on Debian and as root, it installs docker.io, starts an engine
# for as long as the command runs and stops it afterwards. Exit 69: no engine can be had here; the reason is printed.
set -euo pipefail
work=$(mktemp -d)
engine=
finish() {
  if [ -n "$engine" ]; then
    kill "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT
unavailable() {
  echo "No container engine: $*" >&2
  exit 69
}

answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

debian_root() {
  [ "$(id -u)" = 0 ] || unavailable 'none answers, and starting one needs root.'
  command -v apt-get >/dev/null || unavailable 'none answers, and it can be installed on Debian alone.'
}

install_engine() {
  command -v dockerd >/dev/null && return
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends docker.io iptables >"$work/apt.log" 2>&1 ||
    unavailable "docker.io could not be installed: $(tail -1 "$work/apt.log")"
}

# Debian 12 has Compose 1 and no BuildKit plug-in, so both come from the release after it. They are static programs.
install_plugins() {
  docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1 && return
  local mirror plugins=$DOCKER_CONFIG/cli-plugins file
  # shellcheck disable=SC2016 -- apt's own variable
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | sort -u | head -1)
  mkdir -p "$plugins" "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/packages"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$work/apt/sources.list"
  local options=(-o "Dir::Etc::sourcelist=$work/apt/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/apt/lists"
    -o "Dir::Cache=$work/apt/cache" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update >"$work/apt.log" 2>&1 &&
    (cd "$work/packages" && apt-get "${options[@]}" download docker-compose docker-buildx >>"$work/apt.log" 2>&1) ||
    unavailable "Compose and BuildKit could not be downloaded: $(tail -1 "$work/apt.log")"
  for file in "$work"/packages/*.deb; do dpkg -x "$file" "$work/unpacked"; done
  find "$work/unpacked" -type f \( -name docker-compose -o -name docker-buildx \) -path '*cli-plugins*' -exec cp {} "$plugins/" \;
  docker compose version >/dev/null && docker buildx version >/dev/null || unavailable 'Compose or BuildKit does not start.'
}

start_engine() {
  export DOCKER_HOST=unix://$work/docker.sock
  # An engine in a session of its own would outlive this script.
  dockerd --host "$DOCKER_HOST" --pidfile "$work/docker.pid" --exec-root "$work/exec" ${STRATUM_ENGINE_DATA:+--data-root "$STRATUM_ENGINE_DATA"} \
    >"$work/dockerd.log" 2>&1 </dev/null &
  engine=$!
  for _ in $(seq 150); do
    answers && return
    kill -0 "$engine" 2>/dev/null || unavailable "dockerd ended: $(tail -3 "$work/dockerd.log")"
    sleep 0.2
  done
  unavailable "dockerd does not answer: $(tail -3 "$work/dockerd.log")"
}

[ $# -gt 0 ] || {
  echo 'Name a command: deploy/offline/engine.sh docker compose -f deploy/compose.yaml ps' >&2
  exit 64
}
if answers && docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; then
  code=0
  "$@" || code=$?
  exit "$code"
fi
debian_root
install_engine
export DOCKER_CONFIG=$work/config
mkdir -p "$DOCKER_CONFIG"
answers || start_engine
install_plugins
code=0
"$@" || code=$?
exit "$code"
