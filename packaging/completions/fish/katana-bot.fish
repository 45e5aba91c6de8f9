# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_katana_bot_global_optspecs
    string join \n c/config= h/help V/version
end

function __fish_katana_bot_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_katana_bot_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_katana_bot_using_subcommand
    set -l cmd (__fish_katana_bot_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c katana-bot -n "__fish_katana_bot_needs_command" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_needs_command" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -s V -l version -d 'Print version'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "run" -d 'Run the bot until it is told to stop (SIGTERM, SIGINT)'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "check-config" -d 'Check the configuration and print every problem with a hint; exit 78 if there is one'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "print-config" -d 'Print the effective configuration with the origin of each value, secrets masked'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "status" -d 'Show how the daemon is; exit 1 if it does not serve people'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "doctor" -d 'Look at everything the bot needs, and say what to do; exit 69 or 78 if something is wrong'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "users" -d 'List, approve and remove the people who may chat'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand run" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand run" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand check-config" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand check-config" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand check-config" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand print-config" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand print-config" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand status" -l file -d 'Heartbeat file [default: that of the configuration]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand status" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand status" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand status" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand doctor" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand doctor" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand doctor" -l ask-provider -d 'Ask the provider for one token, which may cost money'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve remove help" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve remove help" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve remove help" -f -a "list" -d 'Show owners, members and those who wait, with their pairing codes'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve remove help" -f -a "approve" -d 'Let somebody chat: by pairing code, or by Telegram user id'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve remove help" -f -a "remove" -d 'Take the right to chat away'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from list" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from list" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from approve" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from approve" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from remove" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show owners, members and those who wait, with their pairing codes'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from help" -f -a "approve" -d 'Let somebody chat: by pairing code, or by Telegram user id'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Take the right to chat away'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run check-config print-config status doctor users help" -f -a "run" -d 'Run the bot until it is told to stop (SIGTERM, SIGINT)'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run check-config print-config status doctor users help" -f -a "check-config" -d 'Check the configuration and print every problem with a hint; exit 78 if there is one'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run check-config print-config status doctor users help" -f -a "print-config" -d 'Print the effective configuration with the origin of each value, secrets masked'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run check-config print-config status doctor users help" -f -a "status" -d 'Show how the daemon is; exit 1 if it does not serve people'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run check-config print-config status doctor users help" -f -a "doctor" -d 'Look at everything the bot needs, and say what to do; exit 69 or 78 if something is wrong'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run check-config print-config status doctor users help" -f -a "users" -d 'List, approve and remove the people who may chat'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run check-config print-config status doctor users help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from users" -f -a "list" -d 'Show owners, members and those who wait, with their pairing codes'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from users" -f -a "approve" -d 'Let somebody chat: by pairing code, or by Telegram user id'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from users" -f -a "remove" -d 'Take the right to chat away'
