#!/usr/bin/env bash
# tests/house/sizes.sh ROOT: no source over 500 lines (a file that long holds more than one concept), none without
# a final newline or with marks of unfinished work. Prints each breach; exit 1 if there is one.
set -euo pipefail
cd "$1"
limit=500
breaches=0
files=0
while IFS= read -r file; do
  files=$((files + 1))
  lines=$(wc -l < "$file")
  if [ "$lines" -gt "$limit" ]; then
    echo "$file: $lines lines, wanted at most $limit"
    breaches=$((breaches + 1))
  fi
  if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then
    echo "$file: no newline at the end"
    breaches=$((breaches + 1))
  fi
done < <(find include src data_prep tests \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.py' -o -name '*.sh' -o -name '*.cmake' \) -not -path '*/__pycache__/*' | sort)
if unfinished=$(grep -rnE '\b(TO''DO|FIX''ME|XXX)\b' include src data_prep launch --include='*'); then
  echo "$unfinished"
  breaches=$((breaches + $(printf '%s\n' "$unfinished" | wc -l)))
fi
if [ "$files" -lt 20 ]; then
  echo "only $files files found below $PWD: is the tree where it was?"
  breaches=$((breaches + 1))
fi
echo "$files files, $breaches breaches"
[ "$breaches" -eq 0 ]
