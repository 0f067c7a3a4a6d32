# fish completion for plateau, plateau-agent and plateau-sim: commands and options as the programs themselves list them.
function __plateau_commands
    plateau help 2>/dev/null | string match -r '^  [a-z]+ .*' | string replace -r '^  ([a-z]+) +(.*)' '$1\t$2'
end
function __plateau_options
    set -l words (commandline -opc)
    plateau $words[2] --help 2>/dev/null | string match -r '^  --[a-z0-9-]+' | string trim
end
function __plateau_own_options
    set -l words (commandline -opc)
    $words[1] --help 2>/dev/null | string match -r '^  --[a-z0-9-]+' | string trim
end
complete -c plateau -n '__fish_use_subcommand' -f -a '(__plateau_commands)'
complete -c plateau -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' -f -a '(__plateau_options)'
for program in plateau-agent plateau-sim
    complete -c $program -n 'string match -q -- "-*" (commandline -ct)' -f -a '(__plateau_own_options)'
end
