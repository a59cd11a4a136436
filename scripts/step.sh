# Sourced by the scripts here: `step TITLE COMMAND...` runs a long command and shows that it lives.
# On a terminal one line follows the command's last output; elsewhere the title is printed once and the duration after
# it. The command's output goes to a file of which the end is shown if it fails; the exit status is the command's own.

step() {
  local title=$1 log start=$SECONDS status=0 last
  shift
  log=$(mktemp)
  if [[ -t 2 ]]; then
    "$@" >"$log" 2>&1 </dev/null &
    local child=$!
    while kill -0 "$child" 2>/dev/null; do
      last=$(tail -c 400 "$log" | tr '\r' '\n' | tail -n 1)
      printf '\r\033[K%s: %3d s  %.70s' "$title" $((SECONDS - start)) "$last" >&2
      sleep 0.5
    done
    wait "$child" || status=$?
    printf '\r\033[K' >&2
  else
    echo "$title ..." >&2
    "$@" >"$log" 2>&1 </dev/null || status=$?
  fi
  if ((status)); then
    echo "$title: failed after $((SECONDS - start)) s with status $status; its last lines:" >&2
    tail -n 60 "$log" >&2
  else
    echo "$title: done in $((SECONDS - start)) s" >&2
  fi
  rm -f "$log"
  return "$status"
}
