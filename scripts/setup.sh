#!/usr/bin/env bash
# Installs what resnetd needs and this machine lacks; says nothing when nothing is missing.
#
#   scripts/setup.sh                  everything
#   scripts/setup.sh build            compiler and libraries
#   scripts/setup.sh demo             Fashion-MNIST's images
#   scripts/setup.sh test             what the tests run beside our own programs
#   scripts/setup.sh image            what builds and tests the container image
#   scripts/setup.sh clang            Clang for the preset "clang"; "everything" leaves out this and what follows
#   scripts/setup.sh fuzz             Clang for the fuzzer
#   scripts/setup.sh lint             clang-tidy, and the Clang whose build it reads
#
# Debian 12 has oneDNN 2.6, whose API is gone. There libdnnl-dev alone comes from Debian 13 ("trixie"): its suite is added
# from the mirror that apt already uses, with a priority so low that nothing else comes from it unasked.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/step.sh"

say() { echo "setup: $*" >&2; }
die() { say "$@"; exit 1; }

# ---- what is needed ----

# libcurl, zlib, OpenSSL and the like come with the packages that need them, but CMake files of gRPC and prometheus-cpp
# look for their headers, which do not.
build_packages=(g++ cmake ninja-build ccache pkgconf git ca-certificates
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libabsl-dev libonnx-dev
  prometheus-cpp-dev libcurl4-openssl-dev zlib1g-dev libjpeg-dev libpng-dev libwebp-dev
  libboost-dev libssl-dev libspdlog-dev libcli11-dev nlohmann-json3-dev libeigen3-dev libutfcpp-dev)
demo_packages=(python3 dataset-fashion-mnist)
test_packages=("${demo_packages[@]}" haproxy libgtest-dev libgmock-dev prometheus python3-venv
  python3-numpy python3-onnx python3-pil python3-grpcio)
image_packages=(buildah debootstrap python3 dataset-fashion-mnist)
# Debian 12 and 13 both have Clang 19. It compiles OpenMP for libomp alone, which also answers the calls of a oneDNN built with
# g++. The fuzzers run on one thread and need no more of libomp than its header.
clang_packages=(clang-19 libomp-19-dev)
fuzz_packages=("${clang_packages[@]}" libclang-rt-19-dev libgtest-dev libc6-i386 lib32gcc-s1 lib32stdc++6)
lint_packages=("${clang_packages[@]}" clang-tidy-19)
onednn=libdnnl-dev
onednn_least=3

packages=()
want_onednn=
[[ $# -gt 0 ]] || set -- build demo test image
for group in "$@"; do
  case $group in
    build) packages+=("${build_packages[@]}"); want_onednn=yes ;;
    demo) packages+=("${demo_packages[@]}") ;;
    test) packages+=("${test_packages[@]}") ;;
    image) packages+=("${image_packages[@]}") ;;
    clang) packages+=("${clang_packages[@]}") ;;
    fuzz) packages+=("${fuzz_packages[@]}") ;;
    lint) packages+=("${lint_packages[@]}") ;;
    *) echo "usage: scripts/setup.sh [build] [demo] [test] [image] [clang] [fuzz] [lint]" >&2; exit 2 ;;
  esac
done

# ---- where we are ----

[[ $(uname -m) == x86_64 ]] || die "resnetd runs on amd64 with AVX2 or better, not on $(uname -m)"

os_id=none os_version=0
if [[ -r /etc/os-release ]]; then
  os_id=$(. /etc/os-release && echo "${ID:-none}")
  os_version=$(. /etc/os-release && echo "${VERSION_ID:-0}")
fi
case $os_id:$os_version in
  debian:12 | debian:13) ;;
  ubuntu:2[4-9].*) say "Ubuntu $os_version: tried nowhere yet, going on as on Debian 13" ;;
  *)
    say "made for Debian 12 and 13, not for $os_id $os_version. Bring these yourself (Debian's names):"
    printf '  %s\n' "${packages[@]}" ${want_onednn:+"$onednn (oneDNN $onednn_least or newer)"} | sort -u >&2
    exit 1
    ;;
esac

installed_version() { dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null | sed -n 's/^installed //p'; }
is_new_enough() { [[ -n $1 && $1 != "(none)" ]] && dpkg --compare-versions "$1" ge "$onednn_least"; }

missing=()
for package in $(printf '%s\n' "${packages[@]}" | sort -u); do
  [[ -n $(installed_version "$package") ]] || missing+=("$package")
done
if [[ $want_onednn ]] && is_new_enough "$(installed_version "$onednn")"; then
  want_onednn=
fi
[[ ${#missing[@]} -gt 0 || $want_onednn ]] || exit 0

# ---- the work ----

say "missing: ${missing[*]} ${want_onednn:+$onednn}"
if [[ $(id -u) == 0 ]]; then
  as_root() { env DEBIAN_FRONTEND=noninteractive "$@"; }
elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
  sudo -v
  as_root() { sudo env DEBIAN_FRONTEND=noninteractive "$@"; }
else
  die "installing packages needs root. Run as root: $here/setup.sh $*"
fi

apt_install() { as_root apt-get install -y -q --no-install-recommends "$@"; }

# The address of the archive that apt gets a suite's main component from, empty if it has no such suite. Asked of apt
# itself, which reads every format of its sources.
archive_of() {
  apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Identifier: Packages' |
    awk -v suite="$1" '$1 == suite && $2 == "main" { print $3; exit }'
}

install_onednn() {
  local candidate mirror
  candidate=$(apt-cache policy "$onednn" | awk '/Candidate:/ { print $2 }')
  if is_new_enough "$candidate"; then
    step "setup: installing $onednn $candidate" apt_install "$onednn"
    return
  fi
  # Debian 12. os-release is no witness: once libc is Debian 13's, so is base-files, and with it that file.
  mirror=$(archive_of bookworm)
  [[ -n $mirror ]] || die "apt offers $onednn ${candidate:-in no version}, $onednn_least or newer is needed, and its" \
    "sources name no Debian 12 archive whose Debian 13 suite could be added"
  if [[ -z $(archive_of trixie) ]]; then
    say "adding Debian 13's suite of $mirror for $onednn, at priority 100 (/etc/apt/*/resnetd-trixie.*)"
    as_root tee /etc/apt/preferences.d/resnetd-trixie.pref >/dev/null <<<'Package: *
Pin: release n=trixie
Pin-Priority: 100'
    as_root tee /etc/apt/sources.list.d/resnetd-trixie.sources >/dev/null <<<"Types: deb
URIs: $mirror
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"
    step "setup: reading Debian 13's package list" as_root apt-get update -q
  fi
  step "setup: installing $onednn from Debian 13" apt_install -t trixie "$onednn"
}

step "setup: reading the package lists" as_root apt-get update -q
if [[ -n $(archive_of trixie) ]]; then
  # Clang's sanitizers ask for 32-bit libraries, which must be of the C library's own release.
  for i in "${!missing[@]}"; do
    [[ ${missing[i]} != lib*32* && ${missing[i]} != libc6-i386 ]] || missing[i]+=/trixie
  done
fi
if [[ ${#missing[@]} -gt 0 ]]; then
  step "setup: installing ${#missing[@]} packages" apt_install "${missing[@]}"
fi
if [[ $want_onednn ]]; then
  install_onednn
fi
