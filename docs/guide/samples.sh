#!/usr/bin/env bash
# Runs every list of a samples folder from the command line, on an embedded stack in a temporary home, fetches the results
# and holds every row of the result files to the expected.csv of the folder. Usage: docs/guide/samples.sh [FOLDER]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
samples=$(cd "${1:-$here/../shared/samples}" && pwd)
keymill=${KEYMILL:-$here/.venv/bin/keymill}
python=${PYTHON:-$here/.venv/bin/python}
folder=$(mktemp -d)
chmod 755 "$folder"
export KEYMILL_HOME=$folder/home
export KEYMILL_LISTEN=127.0.0.1:0 KEYMILL_SFTP_PORT=0
"$keymill" up --workers 2 >"$folder/up.log" 2>&1 &
up=$!
trap 'kill -TERM $up 2>/dev/null; wait $up 2>/dev/null || true; echo "Everything is in $folder"' EXIT
until grep -q 'Keymill' "$folder/up.log"; do
  kill -0 $up 2>/dev/null || { cat "$folder/up.log" >&2; exit 1; }
  sleep 0.2
done

send() { "$keymill" submit "$@" --wait 2>/dev/null; }
printf 'account,name,type,locale\nSAMPLE-OEM,Sample OEM,oem,it\n' >"$folder/accounts.csv"
printf 'product,name\nSAMPLE,Sample product\n' >"$folder/products.csv"
send "$folder/accounts.csv" --kind load-accounts --account VENDOR
send "$folder/products.csv" --kind load-products --account VENDOR
send "$samples/codes.txt" --kind load-vouchers --account VENDOR --set oem=SAMPLE-OEM --set product=SAMPLE

cut -d, -f1 "$samples/expected.csv" | tail -n +2 | uniq | while read -r file; do
  echo
  send "$samples/$file" --kind redeem-vouchers --account SAMPLE-OEM --lang it
done

"$keymill" batches --account SAMPLE-OEM --json >"$folder/batches.json"
"$python" -c 'import json, sys; [print(batch["batch"], batch["file"]) for batch in json.load(sys.stdin)]' \
  <"$folder/batches.json" | while read -r number file; do
  "$keymill" results "$number" --to "$folder/results/$file" >/dev/null
done

echo
"$python" - "$samples/expected.csv" "$folder/results" <<'PYTHON'
import collections, csv, pathlib, sys

import openpyxl

from licensing.outcomes import CODES

TITLE = "Esito: codice"


def rows_of(path):
    if path.suffix == ".xlsx":
        return [list(row) for row in openpyxl.load_workbook(path).active.iter_rows(values_only=True)]
    with path.open(newline="", encoding="utf-8-sig") as file:
        text = file.read()
    return list(csv.reader(text.splitlines(keepends=True), delimiter=max(";,\t|", key=text.count)))


def outcomes(path):
    """The outcome of each row of the table, in its order (title and total rows have none)."""
    rows = rows_of(path)
    header = next(number for number, row in enumerate(rows) if TITLE in row)
    column = rows[header].index(TITLE)
    return [CODES[row[column]].outcome for row in rows[header + 1 :] if len(row) > column and row[column]]


expected = collections.defaultdict(list)
with open(sys.argv[1], newline="") as file:
    for row in csv.DictReader(file):
        expected[row["file"]].append(row["outcome"])
wrong = 0
for name, wanted in expected.items():
    (result,) = pathlib.Path(sys.argv[2], name).glob("*-result.*")
    found = outcomes(result)
    bad = [number for number, pair in enumerate(zip(wanted, found), 1) if pair[0] != pair[1]]
    wrong += bool(bad) or len(found) != len(wanted)
    told = f"rows {bad[:10]} differ, {len(found)} of {len(wanted)} rows" if bad or len(found) != len(wanted) else "as expected"
    print(f"{name}: {dict(collections.Counter(found))} {told}")
sys.exit(bool(wrong))
PYTHON
