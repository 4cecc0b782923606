#!/usr/bin/env bash
# Checks a cluster that runs: ports, keys through every node, the ring, dashboards, metrics; with --failover also that a node may go.
#
#   scripts/verify-deployment.sh [--nodes HOST:PORT:HTTP_PORT,...] [--failover COMMAND] [--restore COMMAND]
#
# The default is what `npm run cluster` and docker-compose.yml start: 127.0.0.1, ports 6379-6381, dashboards 8080-8082. A password is
# taken from DISTCACHE_REQUIREPASS. Needs bash, nc, awk and timeout. It changes nothing on this host; in the cluster it writes keys that begin
# with `distcache-verify:`, which expire within a minute. COMMAND stops the first node of the list (`docker compose kill node-1`), --restore starts it
# again. Exits with 0 when all is well, 1 when a check failed, 2 for a wrong flag.
set -uo pipefail

NODES=127.0.0.1:6379:8080,127.0.0.1:6380:8081,127.0.0.1:6381:8082
FAILOVER=
RESTORE=
ANSWER_SECONDS=5
FAILOVER_SECONDS=15
PROMISED_MS=5000
SPREAD_PERCENT=25
SETTLED_SECONDS=30
KEYS=24

PREFIX="distcache-verify:$$:"
PASSED=0
FAILED=0

main() {
  read_flags "$@"
  IFS=, read -r -a LIST <<< "$NODES"
  local node
  for node in "${LIST[@]}"; do check_ports "$node"; done
  if [ "$FAILED" -eq 0 ]; then
    check_every_pair
    check_ring
    for node in "${LIST[@]}"; do check_pages "$node"; done
    if [ -n "$FAILOVER" ]; then check_failover; fi
  fi
  printf '%d ok, %d failed\n' "$PASSED" "$FAILED"
  [ "$FAILED" -eq 0 ]
}

read_flags() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --nodes) NODES=${2:?} ;;
      --failover) FAILOVER=${2:?} ;;
      --restore) RESTORE=${2:?} ;;
      *)
        printf 'unknown flag %s; see the head of %s\n' "$1" "$0" >&2
        exit 2
        ;;
    esac
    shift 2
  done
}

ok() {
  PASSED=$((PASSED + 1))
  printf 'ok    %s\n' "$1"
}

fail() {
  FAILED=$((FAILED + 1))
  printf 'FAIL  %s\n' "$1"
}

# expect NAME WANTED GOT
expect() {
  if [ "$2" = "$3" ]; then ok "$1"; else fail "$1: expected '$2', got '${3:0:200}'"; fi
}

host_of() { echo "${1%%:*}"; }
port_of() { local rest=${1#*:}; echo "${rest%%:*}"; }
http_port_of() { echo "${1##*:}"; }
name_of() { echo "$(host_of "$1"):$(port_of "$1")"; }

# talk NODE LINE...: inline commands over nc, QUIT behind them; their replies without carriage returns, and without those of AUTH and QUIT.
talk() {
  local node=$1 skipped=0
  shift
  {
    if [ -n "${DISTCACHE_REQUIREPASS:-}" ]; then printf 'AUTH %s\r\n' "$DISTCACHE_REQUIREPASS"; fi
    printf '%s\r\n' "$@" QUIT
  } | timeout "$ANSWER_SECONDS" nc "$(host_of "$node")" "$(port_of "$node")" 2> /dev/null | tr -d '\r' | {
    if [ -n "${DISTCACHE_REQUIREPASS:-}" ]; then skipped=1; fi
    tail -n +$((skipped + 1)) | sed '$d'
  }
}

# page NODE PATH: status line, headers and body.
page() {
  {
    printf 'GET %s HTTP/1.0\r\nHost: %s:%s\r\nConnection: close\r\n' "$2" "$(host_of "$1")" "$(http_port_of "$1")"
    if [ -n "${DISTCACHE_REQUIREPASS:-}" ]; then printf 'Authorization: Bearer %s\r\n' "$DISTCACHE_REQUIREPASS"; fi
    printf '\r\n'
  } |
    timeout "$ANSWER_SECONDS" nc "$(host_of "$1")" "$(http_port_of "$1")" 2> /dev/null | tr -d '\r'
}

# expect_page NODE PATH PATTERN
expect_page() {
  local text status
  text=$(page "$1" "$2")
  status=$(head -n 1 <<< "$text")
  if [[ "$status" != *' 200 '* ]]; then
    fail "$(host_of "$1"):$(http_port_of "$1")$2: expected status 200, got '${status:-no answer}'"
  elif ! grep -q "$3" <<< "$text"; then
    fail "$(host_of "$1"):$(http_port_of "$1")$2: nothing like '$3' in it"
  else
    ok "$(host_of "$1"):$(http_port_of "$1")$2"
  fi
}

check_ports() {
  expect "$(name_of "$1") answers PING" '+PONG' "$(talk "$1" PING)"
  expect_page "$1" /livez .
}

# Written through one node, read and deleted through every other, and itself.
check_every_pair() {
  local writer reader key value
  for writer in "${LIST[@]}"; do
    for reader in "${LIST[@]}"; do
      key="$PREFIX$(name_of "$writer"):$(name_of "$reader")"
      value="value-$RANDOM"
      expect "SET at $(name_of "$writer"), GET and DEL at $(name_of "$reader")" \
        "+OK $(printf '$%d' ${#value}) $value :1 \$-1" \
        "$(talk "$writer" "SET $key $value EX 60") $(talk "$reader" "GET $key" "DEL $key" "GET $key" | paste -s -d ' ')"
    done
  done
}

# What CLUSTER NODES says: all slots have an owner, and the owners have about as many.
check_ring() {
  local node state slots
  for node in "${LIST[@]}"; do
    state=$(talk "$node" 'CLUSTER INFO' | grep -E '^cluster_(state|slots_ok):' | paste -s -d ' ')
    expect "$(name_of "$node") says that all slots are covered" 'cluster_state:ok cluster_slots_ok:16384' "$state"
  done
  slots=$(slots_by_node)
  local deadline=$(($(now_ms) + SETTLED_SECONDS * 1000))
  # Slots may be on their way.
  while [ "$(good_shares "$slots")" -ne ${#LIST[@]} ] && [ "$(now_ms)" -lt "$deadline" ]; do
    sleep 0.5
    slots=$(slots_by_node)
  done
  expect 'all 16384 slots belong to some node' 16384 "$(awk '{ sum += $1 } END { print sum + 0 }' <<< "$slots")"
  expect "each of ${#LIST[@]} nodes has its share of the slots ($(paste -s -d ' ' <<< "$slots")), within $SPREAD_PERCENT percent" \
    "${#LIST[@]}" "$(good_shares "$slots")"
}

slots_by_node() {
  talk "${LIST[0]}" 'CLUSTER NODES' | awk '
    NF >= 8 && $3 ~ /master/ {
      count = 0
      for (i = 9; i <= NF; i++) {
        if ($i ~ /^\[/) continue
        split($i, ends, "-")
        count += (ends[2] == "" ? ends[1] : ends[2]) - ends[1] + 1
      }
      print count
    }'
}

# good_shares SLOTS: how many nodes have about as many as they would if all had the same.
good_shares() {
  awk -v count="${#LIST[@]}" -v spread="$SPREAD_PERCENT" '
    { share = 16384 / count; if ($1 > share * (1 - spread / 100) && $1 < share * (1 + spread / 100)) good++ }
    END { print good + 0 }' <<< "$1"
}

check_pages() {
  expect_page "$1" /readyz .
  expect_page "$1" / '<html'
  expect_page "$1" /metrics '^distcache_cluster_'
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# The first node goes: the others take its slots, keys that were there stay, and all can be written again.
check_failover() {
  local survivor=${LIST[1]:-} key began
  if [ -z "$survivor" ]; then
    fail 'failover: there is but one node'
    return
  fi
  for key in $(seq "$KEYS"); do talk "$survivor" "SET $PREFIX$key value-$key EX 60" > /dev/null; done
  sleep 1
  began=$(now_ms)
  if ! bash -c "$FAILOVER" > /dev/null; then
    fail "failover: '$FAILOVER' failed"
    return
  fi
  for key in $(seq "$KEYS"); do await_write "$survivor" "$key" "$began"; done
  local took=$(($(now_ms) - began))
  if [ "$took" -le "$PROMISED_MS" ]; then
    ok "failover: all slots take writes again after $took ms"
  else
    fail "failover: all slots take writes again after $took ms, promised are $PROMISED_MS"
  fi
  if [ -n "$RESTORE" ]; then check_return; fi
}

# await_write NODE KEY BEGAN: what the key held is there, and then it can be written.
await_write() {
  local reply=
  while [ $(($(now_ms) - $3)) -lt $((FAILOVER_SECONDS * 1000)) ]; do
    reply=$(talk "$1" "SET $PREFIX$2 after EX 60 GET" | tail -n 1)
    [[ "$reply" == -* || -z "$reply" ]] || break
    sleep 0.05
  done
  [ "$reply" = "value-$2" ] || fail "failover: key $2 held '$reply'"
}

check_return() {
  local deadline=$(($(now_ms) + FAILOVER_SECONDS * 1000))
  bash -c "$RESTORE" > /dev/null || fail "failover: '$RESTORE' failed"
  until [ "$(page "${LIST[0]}" /readyz | head -n 1 | awk '{ print $2 }')" = 200 ]; do
    if [ "$(now_ms)" -gt "$deadline" ]; then
      fail "failover: $(name_of "${LIST[0]}") is not ready again within $FAILOVER_SECONDS s"
      return
    fi
    sleep 0.2
  done
  ok "failover: $(name_of "${LIST[0]}") is back and ready"
}

main "$@"
