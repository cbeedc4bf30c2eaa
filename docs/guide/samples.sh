#!/usr/bin/env bash
# Runs every list of a samples folder from the command line, on an embedded stack in a temporary home, and compares how many
# rows got which outcome with the expected.csv of the folder. Usage: docs/guide/samples.sh [FOLDER]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
samples=$(cd "${1:-$here/../shared/samples}" && pwd)
keymill=${KEYMILL:-$here/.venv/bin/keymill}
folder=$(mktemp -d)
chmod 755 "$folder"
export KEYMILL_HOME=$folder/home
"$keymill" up --workers 2 >"$folder/up.log" 2>&1 &
up=$!
trap 'kill -INT $up 2>/dev/null; wait $up 2>/dev/null || true; echo "Everything is in $folder"' EXIT
until grep -q 'Keymill' "$folder/up.log"; do sleep 0.2; done

send() { "$keymill" submit "$@" --wait; }
printf 'account,name,type,locale\nSAMPLE-OEM,Sample OEM,oem,it\n' >"$folder/accounts.csv"
printf 'product,name\nSAMPLE,Sample product\n' >"$folder/products.csv"
send "$folder/accounts.csv" --kind load-accounts --account VENDOR
send "$folder/products.csv" --kind load-products --account VENDOR
send "$samples/codes.txt" --kind load-vouchers --account VENDOR --set oem=SAMPLE-OEM --set product=SAMPLE

cut -d, -f1 "$samples/expected.csv" | tail -n +2 | uniq | while read -r file; do
  send "$samples/$file" --kind redeem-vouchers --account SAMPLE-OEM --lang it
done

"$keymill" batches --account SAMPLE-OEM --json >"$folder/batches.json"
"$here/.venv/bin/python" - "$samples/expected.csv" "$folder/batches.json" <<'PYTHON'
import collections, csv, json, sys

expected = collections.defaultdict(collections.Counter)
with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        expected[row["file"]][row["outcome"]] += 1
with open(sys.argv[2]) as file:
    found = {batch["file"]: {k: n for k, n in batch["outcomes"].items() if n} for batch in json.load(file)}
wrong = [name for name, counts in expected.items() if found.get(name) != dict(counts)]
for name, counts in expected.items():
    print(f"{name}: {found.get(name)}" + (f" but expected {dict(counts)}" if name in wrong else "  as expected"))
sys.exit(bool(wrong))
PYTHON
