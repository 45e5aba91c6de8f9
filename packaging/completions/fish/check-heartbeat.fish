# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_check_heartbeat_global_optspecs
    string join \n file= c/threshold= w/warning= mtime url= instance= every= config= state-dir= no-alert test-alert nagios q/quiet warn-exit json v/verbose h/help V/version
end

function __fish_check_heartbeat_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_check_heartbeat_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_check_heartbeat_using_subcommand
    set -l cmd (__fish_check_heartbeat_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -l file -d 'The heartbeat file to check [default: those of the configuration, else /run/katana-bot/heartbeat]' -r -F
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -s c -l threshold -l critical -d 'Oldest heartbeat that is fresh, in seconds or like 2m [default: 120]' -r
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -s w -l warning -d 'Age from which a fresh heartbeat is a warning [default: none]' -r
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -l url -d 'Ask the /health of a bot on another machine, in place of a file' -r
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -l instance -d 'Check one of several bots: its heartbeat, its incidents, its unit\'s user and secrets' -r
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -l every -d 'Repeat the check at this interval until SIGTERM; for containers without cron' -r
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -l config -d 'The configuration [default: /etc/katana-bot/check-heartbeat.toml, if it exists]' -r -F
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -l state-dir -d 'Where incidents are remembered [default: $STATE_DIRECTORY, else /var/lib/katana-check for root and its owner, else ~/.local/state/check-heartbeat]' -r -F
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -l mtime -d 'Judge when the file was last changed, not what is in it'
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -l no-alert -d 'Check and print only: send nothing, remember nothing, fetch no ping_url'
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -l test-alert -d 'Send a test through every channel, and print each answer'
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -l nagios -d 'Output and exit status of a Nagios plugin'
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -s q -l quiet -d 'Print nothing unless something is critical and no channel has accepted it'
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -l warn-exit -d 'Exit with 1 also when the worst is a warning'
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -l json -d 'Print one JSON object with everything that was found and done'
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -s v -l verbose -d 'Also print what was sent to which channel'
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -s h -l help -d 'Print help'
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -s V -l version -d 'Print version'
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -f -a "silence" -d 'Send no alert about what goes on, or about the first cause that comes, for some time'
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -f -a "ack" -d 'Send no reminders about what goes on now'
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -f -a "status" -d 'Show what goes on, what is acknowledged, the silence, and how much of the time all was well'
complete -c check-heartbeat -n "__fish_check_heartbeat_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand silence" -l until -d 'Until when, such as 18:30 or "2026-11-21 18:30"' -r
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand silence" -l reason -d 'Shown in alerts and by status' -r
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand silence" -l instance -d 'Check one of several bots: its heartbeat, its incidents, its unit\'s user and secrets' -r
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand silence" -l config -d 'The configuration [default: /etc/katana-bot/check-heartbeat.toml, if it exists]' -r -F
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand silence" -l state-dir -d 'Where incidents are remembered [default: $STATE_DIRECTORY, else /var/lib/katana-check for root and its owner, else ~/.local/state/check-heartbeat]' -r -F
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand silence" -l everything -d 'Hold back second causes as well'
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand silence" -l end -d 'End the silence now'
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand silence" -s h -l help -d 'Print help'
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand ack" -l reason -d 'Shown in what is sent later' -r
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand ack" -l instance -d 'Check one of several bots: its heartbeat, its incidents, its unit\'s user and secrets' -r
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand ack" -l config -d 'The configuration [default: /etc/katana-bot/check-heartbeat.toml, if it exists]' -r -F
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand ack" -l state-dir -d 'Where incidents are remembered [default: $STATE_DIRECTORY, else /var/lib/katana-check for root and its owner, else ~/.local/state/check-heartbeat]' -r -F
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand ack" -s h -l help -d 'Print help'
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand status" -l instance -d 'Check one of several bots: its heartbeat, its incidents, its unit\'s user and secrets' -r
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand status" -l config -d 'The configuration [default: /etc/katana-bot/check-heartbeat.toml, if it exists]' -r -F
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand status" -l state-dir -d 'Where incidents are remembered [default: $STATE_DIRECTORY, else /var/lib/katana-check for root and its owner, else ~/.local/state/check-heartbeat]' -r -F
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand status" -l metrics -d 'Print the availability in the text format of Prometheus, and nothing else'
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand status" -s h -l help -d 'Print help'
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand help; and not __fish_seen_subcommand_from silence ack status help" -f -a "silence" -d 'Send no alert about what goes on, or about the first cause that comes, for some time'
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand help; and not __fish_seen_subcommand_from silence ack status help" -f -a "ack" -d 'Send no reminders about what goes on now'
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand help; and not __fish_seen_subcommand_from silence ack status help" -f -a "status" -d 'Show what goes on, what is acknowledged, the silence, and how much of the time all was well'
complete -c check-heartbeat -n "__fish_check_heartbeat_using_subcommand help; and not __fish_seen_subcommand_from silence ack status help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
