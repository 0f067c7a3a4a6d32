"""complete_zsh.py FOLDER: a real zsh completes lines with the functions in FOLDER; each argument after it is LINE=EXPECTED. Says what did not come."""
import os, pty, select, sys, time

PATIENCE_S = 30


def read_until(fd, text, patience):
    seen, until = "", time.monotonic() + patience
    while text not in seen and time.monotonic() < until:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                seen += os.read(fd, 65536).decode(errors="replace")
            except OSError:
                break
    return seen


def main():
    folder, *cases = sys.argv[1:]
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "dumb"
        os.execvp("zsh", ["zsh", "-f", "-i"])
    # the word is put together by zsh, so that its echo is not taken for its answer
    os.write(fd, f"PS1= PROMPT_EOL_MARK=; unsetopt zle_bracketed_paste; fpath=('{folder}' $fpath); autoload -Uz compinit; compinit -u -D; print RE''ADY\n".encode())
    failed = "READY" not in read_until(fd, "READY", PATIENCE_S)
    if failed:
        print("zsh does not start")
    for case in cases:
        line, expected = case.rsplit("=", 1)
        os.write(fd, line.encode() + b"\t\t")
        seen = read_until(fd, expected, PATIENCE_S)
        if expected not in seen:
            failed = True
            print(f"zsh: \"{line}\" is not completed by \"{expected}\": {seen!r}")
        os.write(fd, b"\x15\n")  # the line is wiped
        read_until(fd, "\0", 0.3)
    os.write(fd, b"\x15exit\n")
    os.close(fd)
    sys.exit(failed)


main()
