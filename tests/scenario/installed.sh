#!/usr/bin/env bash
# `cmake --install`: programs that run from where they are, the manual pages and the completion, made from the tables of options.
. "$(dirname "$0")/lib.sh"
build=$(dirname "$BIN")
[ -f "$build/CMakeCache.txt" ] || { echo "skipped: $build is no build folder"; exit 77; }
cmake --install "$build" --prefix "$TMP/usr" >"$TMP/install.log" 2>&1 || { fail "cmake --install"; show install.log; }
export PATH="$TMP/usr/bin:$PATH"
for p in plateau plateau-agent plateau-sim; do [ "$(command -v $p)" = "$TMP/usr/bin/$p" ] && $p --version >/dev/null || fail "$p is not installed"; done

share=$TMP/usr/share
mapfile -t commands < <(plateau help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
[ ${#commands[@]} -ge 8 ] || fail "only ${#commands[@]} commands"
for c in "${commands[@]}"; do
    page=$share/man/man1/plateau-$c.1
    [ -s "$page" ] || { fail "no manual page for plateau $c"; continue; }
    while read -r option; do # every option of --help has its paragraph
        grep -qF -- "\\-\\-${option//-/\\-}\\fR" "$page" || fail "plateau-$c(1) lacks --$option"
    done < <(plateau "$c" --help | sed -n 's/^  --\([a-z-]*\).*/\1/p')
done
grep -q 'plateau\\-run (1)' "$share/man/man1/plateau.1" || fail "plateau(1) does not name plateau-run(1)"
for p in plateau-agent plateau-sim; do
    [ -s "$share/man/man1/$p.1" ] || { fail "no manual page for $p"; continue; }
    while read -r option; do
        grep -qF -- "\\-\\-${option//-/\\-}\\fR" "$share/man/man1/$p.1" || fail "$p(1) lacks --$option"
    done < <($p --help | sed -n 's/^  --\([a-z0-9-]*\).*/\1/p')
done
if command -v man >/dev/null; then
    for page in "$share"/man/man1/*.1; do
        warnings=$(MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null | grep -v "can't break line" || true)
        [ -z "$warnings" ] || fail "$page: $warnings"
    done
fi

complete_words() { # WORD…: what bash offers for the last of them
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _plateau
    printf '%s\n' "${COMPREPLY[@]}"
}
# shellcheck disable=SC1091
. "$share/bash-completion/completions/plateau"
complete_words plateau ex | found -x export || fail "completion of a command"
complete_words plateau run --conc | found -x -- --concurrency || fail "completion of an option"
complete_words plateau help ke | found -x keys || fail "completion after help"
complete_program() { # the same for the other two
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _plateau_program
    printf '%s\n' "${COMPREPLY[@]}"
}
complete_program plateau-agent --max-c | found -x -- --max-connections || fail "completion of the agent's options"
complete_program plateau-sim --htt | found -x -- --http2 || fail "completion of the simulator's options"
for p in plateau plateau-agent plateau-sim; do [ -s "$share/bash-completion/completions/$p" ] && [ -s "$share/fish/vendor_completions.d/$p.fish" ] || fail "no completion for $p"; done
bash -n "$share/bash-completion/completions/plateau" || fail "the completion for bash does not parse"
# What each shell completes, LINE=WORD; a shell that is not here is not asked.
touch "$TMP/planned.yaml"
cases=('plateau ex=export' 'plateau hel=help' 'plateau help ke=keys' 'plateau run --conc=--concurrency' "plateau run $TMP/plann=$TMP/planned.yaml"
    'plateau-agent --max-c=--max-connections' 'plateau-sim --htt=--http2')
if command -v zsh >/dev/null; then
    python3 "$(dirname "$0")/complete_zsh.py" "$share/zsh/vendor-completions" "${cases[@]}" && ok "zsh completes" || fail "zsh does not complete"
fi
if command -v fish >/dev/null; then
    for c in "${cases[@]}"; do
        HOME=$TMP fish --no-config -c "source $share/fish/vendor_completions.d/plateau.fish; complete -C '${c%=*}'" 2>&1 | cut -f1 | found -x -- "${c##*=}" || fail "fish does not complete: $c"
    done
fi
[ -s "$share/doc/plateau/configs/smallest.yaml" ] && plateau check "$share/doc/plateau/configs/smallest.yaml" >/dev/null || fail "the plans are not installed"
for f in summary.schema.json grafana-dashboard.json copyright; do [ -s "$share/doc/plateau/$f" ] || fail "$f is not installed"; done

# Where /proc is missing, as in a bare chroot, plateau finds its agent by the name under which it was started. The sanitizers themselves need /proc.
if ! sanitized && unshare -m sh -c 'mount -t tmpfs none /proc' 2>/dev/null; then
    sim
    asked=(--url "http://127.0.0.1:$SIM_PORT" --model sim --concurrency 1 --duration 1s --out "$TMP/bare")
    unshare -m sh -c 'mount -t tmpfs none /proc && exec "$@"' - plateau run "${asked[@]}" >"$TMP/bare.log" 2>&1
    STATUS=$?
    expect_carried
    [ -s "$TMP/bare/report.html" ] || { fail "no report without /proc"; show bare.log; }
fi
finish
