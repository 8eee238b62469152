#!/usr/bin/env bash
# Base images from the programs of this Debian machine, where no registry is reached. Tags them stratum-offline/<name>.
# Needs: a running engine, node with npm, nats-server (NATS_SERVER_BIN), Debian's postgresql-15, busybox-static and,
# for Prometheus, prometheus. What is missing is left out, and said.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say() { echo "offline images: $*" >&2; }

# --- Debian: the files of the essential packages, and of what they need.
base() {
  local packages
  packages=$(dpkg-query -W -f '${Package} ${Essential} ${Priority}\n' | awk '$2 == "yes" || $3 == "required" { print $1 }')
  # shellcheck disable=SC2086 -- a list of words
  packages=$(apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
    $packages libgcc-s1 libstdc++6 | grep -E '^[a-z]' | sed 's/:.*//' | sort -u |
    { xargs dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' 2>/dev/null || true; } | awk '$1 == "ii" { print $2 }')
  {
    printf '%s\n' /bin /sbin /lib /lib64 /usr/bin/sh
    # shellcheck disable=SC2086 -- a list of words
    dpkg -L $packages
  } | grep -vE '^/(usr/share/(doc|man|locale|info|lintian)|var/cache|dev|proc|sys|tmp|root)(/|$)|^/\.$' |
    # Packages still name what is below /usr since the merge.
    sed -E 's#^/(bin|sbin|lib|lib64)/#/usr/\1/#' | sort -u |
    while read -r file; do if [ -e "$file" ] || [ -L "$file" ]; then echo "${file#/}"; fi; done > "$work/files"
  local root=$work/base
  mkdir "$root"
  tar -C / --no-recursion -cf - -T "$work/files" | tar -C "$root" -xpf -
  mkdir -p "$root"/{etc,tmp,root,proc,sys,dev}
  chmod 1777 "$root/tmp"
  # The machine's own accounts stay here.
  cp /usr/share/base-passwd/passwd.master "$root/etc/passwd"
  cp /usr/share/base-passwd/group.master "$root/etc/group"
  tar -C "$root" --numeric-owner -cf - . | docker import --change 'CMD ["bash"]' - stratum-offline/debian:bookworm >/dev/null
}

# Puts programs, with the libraries that they need, under a folder.
gather() {
  local root=$1 library
  shift
  for program in "$@"; do
    install -D "$program" "$root$program"
    { ldd "$program" 2>/dev/null || true; } | grep -oE '/[^ ]+' | while read -r library; do
      [ -e "$root$library" ] || install -D "$library" "$root$library"
    done
  done
}

build() { docker build --quiet --tag "$1" "$2" >/dev/null; }

node_image() {
  local root=$work/node node
  node=$(readlink -f "$(command -v node)")
  mkdir -p "$root/lib"
  cp "$node" "$root/node-binary"
  cp -r "$(npm root --global)/npm" "$root/lib/npm"
  cp /etc/ssl/certs/ca-certificates.crt "$root/ca.crt"
  cat > "$root/Dockerfile" <<'END'
FROM stratum-offline/debian:bookworm
COPY node-binary /usr/local/bin/node
COPY lib /usr/local/lib/node_modules
COPY ca.crt /etc/ssl/certs/ca-certificates.crt
# A network without a way to registries of images often has authorities of its own.
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
END
  build stratum-offline/node "$root"
}

nats_image() {
  local server=${NATS_SERVER_BIN:-$(command -v nats-server || true)}
  [ -n "$server" ] || { say "no nats-server: name one in NATS_SERVER_BIN"; return; }
  local root=$work/nats
  cp "$server" "$work/nats-server"
  gather "$root/image" "$work/nats-server"
  install -D "$work/nats-server" "$root/image/usr/local/bin/nats-server"
  rm -rf "$root/image$work"
  install -D /usr/bin/busybox "$root/image/bin/busybox"
  mkdir -p "$root/image/var/lib/nats" "$root/image/tmp"
  ln -s busybox "$root/image/bin/sh" && ln -s busybox "$root/image/bin/wget"
  printf 'FROM scratch\nCOPY image /\nENV PATH=/usr/local/bin:/bin\nEXPOSE 4222 8222\nENTRYPOINT ["nats-server"]\n' > "$root/Dockerfile"
  build stratum-offline/nats "$root"
}

postgres_image() {
  local programs=/usr/lib/postgresql/15
  [ -d $programs ] || { say 'no postgresql-15'; return; }
  local root=$work/postgres
  gather "$root/image" $programs/bin/{postgres,initdb,psql,pg_ctl,pg_isready,pg_dump,pg_restore}
  # In the base these are links to folders below /usr, over which BuildKit copies no folder.
  for folder in lib lib64; do
    [ ! -d "$root/image/$folder" ] || { mkdir -p "$root/image/usr" && cp -rT "$root/image/$folder" "$root/image/usr/$folder" && rm -r "${root:?}/image/$folder"; }
  done
  find $programs/lib -name '*.so' ! -name 'llvmjit*' -exec install -D {} "$root/image{}" \;
  mkdir -p "$root/image/usr/share" && cp -r /usr/share/postgresql "$root/image/usr/share/"
  [ -d /usr/share/zoneinfo ] && cp -r /usr/share/zoneinfo "$root/image/usr/share/"
  cp "$(dirname "$0")/postgres-entrypoint.sh" "$root/entrypoint.sh"
  cat > "$root/Dockerfile" <<'END'
FROM stratum-offline/debian:bookworm
COPY image /
COPY entrypoint.sh /usr/local/bin/
RUN groupadd --gid 999 postgres && useradd --uid 999 --gid 999 --home-dir /var/lib/postgresql postgres \
  && mkdir -p /var/lib/postgresql /var/run/postgresql && chown 999:999 /var/lib/postgresql /var/run/postgresql
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin
EXPOSE 5432
STOPSIGNAL SIGINT
USER 999:999
ENTRYPOINT ["bash", "/usr/local/bin/entrypoint.sh"]
END
  build stratum-offline/postgres "$root"
}

prometheus_image() {
  command -v prometheus >/dev/null || { say 'no prometheus: install Debian’s package of that name'; return; }
  local root=$work/prometheus
  gather "$root/image" /usr/bin/prometheus /usr/bin/promtool
  install -D /usr/bin/busybox "$root/image/bin/busybox" && ln -s busybox "$root/image/bin/wget" && ln -s busybox "$root/image/bin/sh"
  mkdir -p "$root/image/prometheus" "$root/image/etc/prometheus" "$root/image/tmp"
  printf 'FROM scratch\nCOPY image /\nRUN ["/bin/busybox", "chown", "65534:65534", "/prometheus"]\nENV PATH=/usr/bin:/bin\nUSER 65534:65534\nWORKDIR /prometheus\nEXPOSE 9090\nENTRYPOINT ["prometheus"]\nCMD ["--config.file=/etc/prometheus/prometheus.yml","--storage.tsdb.path=/prometheus"]\n' > "$root/Dockerfile"
  build stratum-offline/prometheus "$root"
}

base
node_image
nats_image
postgres_image
prometheus_image
say 'Grafana is no package of Debian: its image cannot be made here, and the stack runs without it'
docker image ls --filter 'reference=stratum-offline/*' --format '{{.Repository}} {{.Size}}'
