#!/usr/bin/env bash
# Guess:   the MLPerf Endpoints submission package installs the command `submission-checker` that its own description uses.
# Instead: 1.5.3.0 installs `endpoints-submission-cli` and `endpoints-submission-mcp`. The checker is a module without a command: its function is called by hand.
#          Its regions round half to even: at 1 … 64 the low region begins at 2 and ends at 5, and at 16 … 1024 medium ends at 117, where the rules' text says 116.
# So:      a script calls the module, and takes the boundaries from the code.
. "$(dirname "$0")/lib.sh"
pip_install endpoints-submission-cli==1.5.3.0
guess "py/bin/submission-checker is there"
is "commands" "$(cd "$dir/py/bin" && echo *submission*)" "endpoints-submission-cli endpoints-submission-mcp"
has "its description" "$("$dir/py/bin/python" -c 'import importlib.metadata as m; print(m.metadata("endpoints-submission-cli").get_payload() or m.metadata("endpoints-submission-cli")["Description"])')" "submission-checker check /[a-z/-]+"
regions=$(NO_COLOR=1 COLUMNS=120 "$dir/py/bin/python" -c 'from submission_checker.cli import main; main()' regions -M 1024 -m 16)
has "called as a module" "$regions" "Medium Concurrency +│ +27 │ +117"
