#!/usr/bin/env bash
# Installs what a Debian 12 machine needs, each package with its reason. Does nothing when all is there; needs root (or sudo) only
# when something is missing.
#   deploy/install-deps.sh            what building and the quick start need
#   deploy/install-deps.sh test       the same and what the tests need
set -euo pipefail

build=(
  gcc                   # compiler
  libc6-dev             # C library headers
  cmake                 # build description
  ninja-build           # runs the build
  pkg-config            # finds the libraries
  libzmq3-dev           # control plane: sockets, CURVE
  libcurl4-openssl-dev  # the server's metrics page
  libssl-dev            # TLS of the agent's requests
  libnghttp2-dev        # HTTP/2 of the agent's requests
  ca-certificates       # authorities that https targets are checked against
  libmsgpack-dev        # wire format
  libyaml-dev           # plan files
  libsodium-dev         # hashes, keys, signatures
  libsqlite3-dev        # the run's file
  libmicrohttpd-dev     # health and metrics pages
  libutf8proc-dev       # a tokenizer's text: classes of characters, normal form C
  zlib1g-dev            # compressed histograms in histograms.hlog; data sets on their way to agents
  libjs-chart.js        # charts, embedded in the report
)
test=(
  g++                   # none of ours is C++; ctest's toolchain check and some sanitizer runtimes want it
  clang                 # second compiler, fuzz targets
  libclang-rt-14-dev    # its sanitizer and fuzzer runtimes
  clang-format          # form of the sources
  clang-tidy            # mistakes and functions too complex to read, which no compiler reports
  llvm                  # readable stack traces of the sanitizers
  libcmocka-dev         # unit tests
  curl                  # drives the simulator in scenarios
  jq                    # reads summary.json in scenarios
  sqlite3               # reads run.sqlite in scenarios
  python3               # strict JSON and HTML checks, hostile peers
  python3-yaml          # checks the plan reference against the schema
  python3-jsonschema    # checks summary.json against its schema
  python3-zmq           # a peer of another make that attacks the control plane
  python3-msgpack       # what it speaks
  iproute2              # network namespaces and bad cables
  faketime              # a wall clock that steps
  procps                # ps
  strace                # counts system calls per token
  valgrind              # counts instructions per token
  openssl               # certificates of the TLS scenario
  nginx-light           # TLS and HTTP/2 in front of the simulator
)

# Debian has it for this processor only
if [ "$(dpkg --print-architecture)" = amd64 ]; then
  build+=(libipsec-mb-dev) # AES-GCM of TLS records that come in, at a quarter of OpenSSL's time; may be missing
fi

want=("${build[@]}")
case ${1:-} in
  "") ;;
  test) want+=("${test[@]}") ;;
  *) echo "usage: $0 [test]" >&2; exit 2 ;;
esac

missing=()
for p in "${want[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "all ${#want[@]} packages are installed"
  exit 0
fi

root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "missing: ${missing[*]}; run this as root" >&2; exit 1; }
  root=(sudo)
fi
echo "installing: ${missing[*]}"
"${root[@]}" apt-get update -qq
# RUNLEVEL=1: no service is started by an installation
"${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "installed ${#missing[@]} packages"
