#!/usr/bin/env bash
# Checks the files for Prometheus and Grafana with Prometheus's own tool: the rules, their tests,
# and the metrics of a running service.
#
#     tests/system/monitoring.sh [BINARY]     default: target/debug/snaprotate
#
# Installs promtool by apt if it is missing (requires root), without starting its service. The
# provider is provider.py on loopback; nothing else is requested over the network.
set -euo pipefail

# shellcheck source=tests/system/common.sh
. "$(dirname "$0")/common.sh"
binary=${1:-$project/target/debug/snaprotate}
monitoring=$project/config/monitoring
daemon=''

# Ends what this script started, by process id.
clean_up() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    [ -z "$provider" ] || kill "$provider" 2>/dev/null || true
    wait 2>/dev/null || true
    [ -z "$work" ] || rm -rf --one-file-system "$work"
}

install_promtool() {
    command -v promtool >/dev/null && return
    # The package would start a server. This policy prevents it, unless the host has its own.
    local policy=/usr/sbin/policy-rc.d ours=''
    [ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && ours=1; }
    # In a subshell, so that the policy is removed even if the installation fails.
    (install_packages prometheus) || true
    [ -z "$ours" ] || rm -f "$policy"
    command -v promtool >/dev/null || give_up "needs promtool; install Prometheus"
}

get() {
    python3 - "$page" "$1" <<'PY'
import sys
import urllib.request

address, path = sys.argv[1:]
with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
    sys.stdout.write(answer.read().decode())
PY
}

# The create was answered, and the server was listed after it.
rotated() {
    get /metrics >"$work/metrics" &&
        grep -q '^snaprotate_api_requests_total{call="create",outcome="ok"} 1$' "$work/metrics" &&
        grep -q '^snaprotate_snapshots{' "$work/metrics"
}

[ -x "$binary" ] || give_up "$binary is no program; run cargo build, or name one"
work=$(mktemp -d)
trap clean_up EXIT
install_promtool

promtool check rules "$monitoring/snaprotate.rules.yml"
promtool test rules "$monitoring/snaprotate.rules.test.yml"

start_provider
mkdir "$work/policies.d"
(umask 077 && echo "$token" >"$work/token")
cat >"$work/snaprotate.toml" <<TOML
[api]
base_url = "http://127.0.0.1:$(cat "$work/port")/api/v1"
token_file = "token"
[daemon]
state_dir = "state"
poll_interval = "200ms"
[audit]
dir = "log"
[http]
listen = "$page"
TOML
printf '[server]\nid = 12345\nname = "web-server-01"\n[[rotation]]\nname = "weekly"\nschedule = "0 3 * * Sun"\nkeep = 3\n' \
    >"$work/policies.d/web-server-01.toml"
RUNTIME_DIRECTORY=$work/run "$binary" --config "$work/snaprotate.toml" run 2>"$work/log.txt" &
daemon=$!
within 20 rotated || give_up "the service did not rotate: $(tail -n 5 "$work/log.txt")"
get /metrics >"$work/metrics"
promtool check metrics <"$work/metrics"

# The metrics that rules and dashboard use exist.
python3 - "$work/metrics" "$monitoring" <<'PY'
import json
import re
import sys

metrics = {re.split(r"[{ ]", line)[0] for line in open(sys.argv[1]) if not line.startswith("#")}
dashboard = open(f"{sys.argv[2]}/grafana-dashboard.json").read()
json.loads(dashboard)
rules = open(f"{sys.argv[2]}/snaprotate.rules.yml").read()
asked = set(re.findall(r"\bsnaprotate_[a-z_]+", rules + dashboard))
missing = sorted(asked - metrics)
if missing:
    sys.exit(f"asked for, but not in /metrics: {', '.join(missing)}")
print(f"{len(asked)} metrics are asked for by rules and dashboard, and all of {len(metrics)} are there")
PY
[ "$(get /healthz)" = ok ] || give_up "/healthz is not ok"
echo "monitoring.sh: all is well"
