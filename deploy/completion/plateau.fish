# fish completion for plateau, plateau-agent and plateau-sim: commands and options as the programs themselves list them.
function __plateau_commands
    set -l words (commandline -opc)
    type -q $words[1]; or return
    $words[1] help 2>/dev/null | string match -r '^  [a-z]+ .*' | string replace -r '^  ([a-z]+) +(.*)' '$1\t$2'
end
function __plateau_list # the options of a program or a command, each with what its help says
    type -q $argv[1]; or return
    $argv --help 2>/dev/null | string match -r '^  --[a-z0-9-]+ .*' | string replace -r '^  (--[a-z0-9-]+).*?  +(.*)' '$1\t$2'
end
function __plateau_options
    set -l words (commandline -opc)
    __plateau_list $words[1] $words[2]
end
function __plateau_own_options
    set -l words (commandline -opc)
    __plateau_list $words[1]
end
complete -c plateau -n '__fish_use_subcommand' -f -a '(__plateau_commands)'
complete -c plateau -n '__fish_use_subcommand' -f -a help -d 'explain a command and its options'
complete -c plateau -n '__fish_seen_subcommand_from help' -f -a '(__plateau_commands)'
complete -c plateau -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' -f -a '(__plateau_options)'
for program in plateau-agent plateau-sim
    complete -c $program -n 'string match -q -- "-*" (commandline -ct)' -f -a '(__plateau_own_options)'
end
