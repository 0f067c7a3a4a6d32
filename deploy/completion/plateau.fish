# fish completion for plateau: commands and options as the program itself lists them.
function __plateau_commands
    plateau help 2>/dev/null | string match -r '^  [a-z]+ .*' | string replace -r '^  ([a-z]+) +(.*)' '$1\t$2'
end
function __plateau_options
    set -l words (commandline -opc)
    plateau $words[2] --help 2>/dev/null | string match -r '^  --[a-z-]+' | string trim
end
complete -c plateau -n '__fish_use_subcommand' -f -a '(__plateau_commands)'
complete -c plateau -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' -f -a '(__plateau_options)'
