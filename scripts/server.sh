# Sourced by demo.sh and evaluate.sh from the root of the repository, after step.sh: builds the programs, and starts and
# stops a server on loopback.

resnetd=build/release/server/resnetd
start_seconds=60

build_programs() {
  # A build that is there keeps its options: it may be a developer's.
  [[ -f build/release/build.ninja ]] ||
    step "configuring" cmake --preset release -DRESNETD_BUILD_TESTS=OFF -DRESNETD_BUILD_BENCH=OFF
  step "building resnetd and resnetctl" cmake --build --preset release --target resnetd resnetctl
}

resnetctl() { build/release/cli/resnetctl --server "$server_address" "$@"; }

# start_server LOG [OPTION...]: sets server_pid, server_address and metrics_url.
start_server() {
  server_log=$1
  shift
  # Ports that were free a moment ago, both held at once so that they differ.
  local ports
  ports=$(python3 -c 'import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(s.getsockname()[1] for s in held))')
  server_address=127.0.0.1:${ports% *}
  metrics_url=http://127.0.0.1:${ports#* }/metrics
  # A session of its own: it is stopped by us, not by what stops the script or closes the terminal.
  setsid "$resnetd" --port "${ports% *}" --metrics-port "${ports#* }" "$@" >"$server_log" 2>&1 </dev/null &
  server_pid=$!
  step "waiting for health" wait_for_health || { cat "$server_log" >&2; return 1; }
}

wait_for_health() {
  local give_up=$((SECONDS + start_seconds))
  until resnetctl health --wait 1; do
    kill -0 "$server_pid" || return 1
    ((SECONDS < give_up)) || return 1
  done
}

# The server's own exit status.
stop_server() {
  local status=0
  kill -TERM "$server_pid" 2>/dev/null || true
  wait "$server_pid" || status=$?
  server_pid=
  return "$status"
}
