#!/usr/bin/env bash
# Broken data sets and traces: each is refused with a sentence that names the file, the line and what is wrong.
. "$(dirname "$0")/lib.sh"
if python3 "$(dirname "$0")/bad_data.py" "$BIN" "$TMP"; then ok "each has its sentence"; else fail "sentences differ"; fi
finish
