#!/usr/bin/env bash
# Builds the container image from the Dockerfile and tries it, without a Docker engine and without pulling an image.
#
#   scripts/test.sh --image          what calls this
#
# The base image is made by debootstrap from the archive that apt uses and gets the Dockerfile's own name for it, so that
# the Dockerfile builds unchanged. It is kept as a tarball in ${XDG_CACHE_HOME:-/var/cache}/resnetd, beside the
# compiler's cache: the second run is quicker. The server then runs as a container engine would run it: the image's
# user, environment and entrypoint, process 1 of its own, a network of its own, a root that cannot be written to.
# The last line is "N passed, N failed".
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
source "$root/scripts/step.sh"

readonly base_name=docker.io/library/debian:trixie-slim
readonly image_name=localhost/resnetd
readonly most_added_mb=90
readonly start_seconds=60 stop_seconds=60

[[ $(id -u) == 0 ]] || { echo "image_test: needs root (debootstrap, mounts)" >&2; exit 1; }
cache=${XDG_CACHE_HOME:-/var/cache}/resnetd
work=$(mktemp -d /var/tmp/resnetd-image.XXXXXX)
mkdir -p "$cache/ccache"
passed=0 failed=0

# An engine's store of our own: the machine's images stay as they are. vfs and chroot need neither overlayfs nor a runtime.
images() {
  buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"
}

leave() {
  [[ -z ${container_pid:-} ]] || kill -KILL "$container_pid" 2>/dev/null || true
  rm -rf --one-file-system "$work"
}
trap leave EXIT

finish() {
  echo "$passed passed, $failed failed"
  exit $((failed > 0))
}

# check TITLE COMMAND...: one check, passed if the command succeeds. Its output is shown if it does not.
check() {
  local title=$1 output
  shift
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    echo "ok      $title${output:+: $output}"
  else
    failed=$((failed + 1))
    echo "FAILED  $title${output:+: $output}"
  fi
}

# ---- the base ----

# The address of the archive that apt gets the running Debian's main component from.
archive() {
  apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Identifier: Packages' |
    awk '($1 == "bookworm" || $1 == "trixie") && $2 == "main" { print $3; exit }'
}

# The same way to the packages as this machine's: apt's settings for it, names and certificates.
add_way_to_archive() {
  local tree=$1 file
  for file in /etc/apt/apt.conf.d/99*; do
    [[ ! -e $file ]] || cp -L "$file" "$tree/etc/apt/apt.conf.d/"
  done
  cp -L /etc/hosts /etc/resolv.conf "$tree/etc/"
  if [[ -d /etc/ssl/certs ]]; then mkdir -p "$tree/etc/ssl" && cp -rL /etc/ssl/certs "$tree/etc/ssl/"; fi
}

make_base() {
  local tarball=$cache/debian-trixie-minbase.tar tree=$work/base mirror
  if [[ ! -s $tarball ]]; then
    mirror=$(archive)
    debootstrap --variant=minbase trixie "$tree" ${mirror:+"$mirror"}
    rm -rf "$tree"/var/cache/apt/* "$tree"/var/lib/apt/lists/*
    tar -C "$tree" -cf "$tarball.part" .
    mv "$tarball.part" "$tarball"
    rm -rf --one-file-system "$tree"
  fi
  mkdir "$tree"
  tar -C "$tree" -xf "$tarball"
  add_way_to_archive "$tree"
  local container
  container=$(images from scratch)
  images add "$container" "$tree" /
  images commit "$container" "$base_name"
  images rm "$container"
  rm -rf --one-file-system "$tree"
}

build_image() {
  # HEALTHCHECK is a field of Docker's image format, which OCI's lacks.
  images bud --isolation chroot --format docker --pull-never --volume "$cache/ccache:/root/.cache/ccache" --tag "$image_name" "$root"
}

step "making the base image" make_base || { failed=1; finish; }
step "building the image" build_image || { failed=1; finish; }

# ---- what the image says of itself ----

# config PYTHON-EXPRESSION: a part of the image's configuration, one value a line.
images inspect --type image "$image_name" >"$work/image.json"
config() {
  python3 - "$work/image.json" "$1" <<'PYTHON'
import json, sys
config = json.load(open(sys.argv[1]))["Docker"]["config"]
value = eval(sys.argv[2], {"config": config})
print(*value, sep="\n") if isinstance(value, list) else print(value)
PYTHON
}

mount_image() { images mount "$(images from --pull-never "$1")"; }
base_tree=$(mount_image "$base_name")
image_tree=$(mount_image "$image_name")

# Files that are new or changed, whole: what the layer above the base holds.
added_is_small() {
  files_of "$base_tree" >"$work/base.files"
  files_of "$image_tree" >"$work/image.files"
  LC_ALL=C comm -13 "$work/base.files" "$work/image.files" | awk -F '\t' -v most="$most_added_mb" '{ bytes += $2 }
    END { printf "%.1f MB over the base, at most %d", bytes / 1e6, most; exit !(bytes <= most * 1e6) }'
}
files_of() { find "$1" -xdev -type f -printf '%P\t%s\t%T@\n' | LC_ALL=C sort; }

mapfile -t entrypoint < <(config 'config["Entrypoint"]')
mapfile -t health < <(config 'config["Healthcheck"]["Test"]')
mapfile -t environment < <(config 'config["Env"]')
user=$(config 'config["User"]')

check "size" added_is_small
check "user is a number and not root's" grep -xE '[1-9][0-9]*:[1-9][0-9]*' <<<"$user"
check "entrypoint in exec form" test "${entrypoint[*]}" = /usr/local/bin/resnetd
check "health check in exec form" test "${health[0]} ${health[1]}" = "CMD /usr/local/bin/resnetctl"

# ---- the container ----

mkdir "$work/images"
"$root/tools/fashion_mnist_png.py" --out "$work/images" --per-class 1 --labels "$root/models/fashion-resnet20/1/labels.txt"
chmod -R a+rX "$work/images"
chmod a+x "$work"

# Becomes process 1 of the container. Runs in namespaces of its own: mounts go with it. The images are at /mnt.
enter_container() {
  local tree=$1
  shift
  mount --make-rprivate /
  mount --bind "$tree" "$tree"
  mount -t proc proc "$tree/proc"
  mount --rbind /sys "$tree/sys"
  mount -t tmpfs -o mode=755,size=64k tmpfs "$tree/dev"
  local device at
  for device in null zero urandom; do
    touch "$tree/dev/$device"
    mount --bind "/dev/$device" "$tree/dev/$device"
  done
  mount --bind "$work/images" "$tree/mnt"
  for at in "$tree/dev" "$tree/mnt" "$tree"; do mount -o remount,bind,ro "$at"; done
  # Loopback is down in a new network namespace: SIOCSIFFLAGS with IFF_UP | IFF_RUNNING.
  python3 -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sH14x", b"lo", 0x41))'
  exec env -i "${environment[@]}" setpriv --no-new-privs chroot --userspec="$user" "$tree" "$@"
}

# in_container COMMAND...: in the running container, as its user.
in_container() {
  nsenter --target "$container_pid" --mount --net --pid --root --wd \
    env -i "${environment[@]}" setpriv --reuid "${user%:*}" --regid "${user#*:}" --clear-groups --no-new-privs "$@"
}

export -f enter_container
export work user
# An array cannot be exported: it crosses as text that the shell reads back.
unshare --mount --net --pid --fork --kill-child bash -euc "$(declare -p environment); enter_container \"\$@\"" _ \
  "$image_tree" "${entrypoint[@]}" >"$work/server.log" 2>&1 &
unshare_pid=$!
for ((i = 0; i < 50; i++)); do
  container_pid=$(cat "/proc/$unshare_pid/task/$unshare_pid/children" 2>/dev/null) && [[ $container_pid ]] && break
  sleep 0.1
done
container_pid=${container_pid// /}

becomes_healthy() {
  local give_up=$((SECONDS + start_seconds)) answer=
  until answer=$(in_container "${health[@]:1}" 2>&1); do
    if ((SECONDS > give_up)) || ! kill -0 "$container_pid" 2>/dev/null; then
      printf '%s\n%s' "$answer" "$(cat "$work/server.log")"
      return 1
    fi
    sleep 0.2
  done
  echo "$answer"
}

# Prints the label that the server gives an image first.
label_is() {
  local answer
  answer=$(in_container /usr/local/bin/resnetctl --json classify "/mnt/$1") || { echo "$answer"; return 1; }
  python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["classes"][0]["label"])' <<<"$answer" | grep -xF "$2"
}

# 127.0.0.2 reaches a server on all interfaces, and not one on 127.0.0.1 alone.
page_is() {
  local page
  page=$(nsenter --target "$container_pid" --net python3 -c 'import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
sys.stdout.write(opener.open(sys.argv[1], timeout=10).read().decode())' "http://127.0.0.2:8501$1" 2>&1) ||
    { tail -n 1 <<<"$page"; return 1; }
  grep -qE "$2" <<<"$page" || { echo "$page"; return 1; }
}

runs_confined() {
  local status=/proc/$container_pid/status
  grep -E '^(Uid|CapEff|NoNewPrivs):' "$status" | tr -s '\t\n' ' '
  awk -v uid="${user%:*}" '/^Uid:/ { u = ($2 == uid && $3 == uid) } /^CapEff:/ { c = ($2 ~ /^0+$/) }
    END { exit !(u && c) }' "$status"
}
cannot_write() { ! in_container /usr/bin/touch /tmp/a 2>&1 | grep -v 'Read-only file system'; }

ends_well() {
  kill -TERM "$container_pid"
  local give_up=$((SECONDS + stop_seconds))
  while kill -0 "$container_pid" 2>/dev/null; do
    ((SECONDS <= give_up)) || { echo "still runs after $stop_seconds s"; return 1; }
    sleep 0.1
  done
}

check "health command" becomes_healthy
check "runs as the user, without capabilities" runs_confined
check "root cannot be written to" cannot_write
check "classifies an ankle boot" label_is 00000.png "Ankle boot"
check "classifies a trouser" label_is 00002.png Trouser
check "/livez" page_is /livez .
check "/readyz" page_is /readyz .
check "/metrics" page_is /metrics '^resnetd_images_total\{result="ok"\} 2$'
check "SIGTERM is obeyed" ends_well
status=0
wait "$unshare_pid" || status=$?
check "exit status 0" test "$status" = 0
((failed == 0)) || sed 's/^/server: /' "$work/server.log"
finish
