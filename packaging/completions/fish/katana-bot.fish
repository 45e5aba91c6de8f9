# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_katana_bot_global_optspecs
    string join \n c/config= instance= h/help V/version
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
complete -c katana-bot -n "__fish_katana_bot_needs_command" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_needs_command" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -s V -l version -d 'Print version'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "run" -d 'Run the bot until a signal stops it (SIGTERM, SIGINT)'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "healthcheck" -d 'Ask the running bot whether it works; exit 1 if not. For health checks of containers'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "check-config" -d 'Check the configuration and print every problem with a hint; exit 78 if there is one'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "print-config" -d 'Print the effective configuration with the origin of each value, secrets masked'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "status" -d 'Show the state of the daemon; exit 1 if it does not serve people'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "doctor" -d 'Check everything the bot needs, and say what to fix; exit 69 or 78 if something is wrong'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "deploy-check" -d 'Wait until a new instance works: ready, polls answered, the canary question answered; exit 69 if not'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "backup" -d 'Copy the state to a verified file that only you can read; works while the bot runs'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "restore" -d 'Replace the state with a backup, and keep the old state; the bot must be stopped'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "record-exit" -d 'Write down how systemd saw the daemon end; for the unit'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "setup" -d 'Set up the bot: token, provider, alerts, start; asks, or takes flags. Can be repeated'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "usage" -d 'Show what answers cost: tokens and money by day, person, chat or model'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "extract" -d 'Show what the bot reads of a document: Markdown, text, HTML, PDF, docx, odt, EPUB, CSV, code'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "knowledge" -d 'Show the documents and their index'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "users" -d 'List, approve and remove the people who may chat'
complete -c katana-bot -n "__fish_katana_bot_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand run" -l as -d 'Become this user first and give it the state\'s folder, where volumes belong to root' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand run" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand run" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand run" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand healthcheck" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand healthcheck" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand healthcheck" -l alive -d 'Ask only whether the process makes progress; an outage of Telegram does not count'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand healthcheck" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand check-config" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand check-config" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand check-config" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand check-config" -l without-secrets -d 'Leave out the secrets, which may be readable only for the bot'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand check-config" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand print-config" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand print-config" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand print-config" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand status" -l file -d 'Heartbeat file [default: that of the configuration]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand status" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand status" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand status" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand status" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand doctor" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand doctor" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand doctor" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand doctor" -l ask-provider -d 'Ask each provider for one word, and the embeddings server for a vector, which may cost money'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand deploy-check" -l url -d 'Address of the new instance\'s HTTP endpoint, such as http://127.0.0.1:8080' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand deploy-check" -l timeout -d 'How long to wait, such as 90s or 5m' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand deploy-check" -l expect-version -d 'The version that has to answer; takes KATANA_WEB_ADMIN_TOKEN, except on the same machine' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand deploy-check" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand deploy-check" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand deploy-check" -l without-canary -d 'Do not wait for the canary question'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand deploy-check" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand deploy-check" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand backup" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand backup" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand backup" -l rotate -d 'A new file in backup.dir; deletes the oldest of more than backup.keep (the nightly timer)'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand backup" -l force -d 'Replace an existing file'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand backup" -l json -d 'Machine-readable report'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand backup" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand restore" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand restore" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand restore" -l check -d 'Only verify the backup and show what is in it'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand restore" -l other-bot -d 'Restore it even if it has no data of the configured bot'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand restore" -l json -d 'Machine-readable report'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand restore" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand record-exit" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand record-exit" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand record-exit" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l token-file -d 'File with the bot token on its first line; - for the next line of standard input' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l provider -d 'The provider that answers questions' -r -f -a "openai\t'OpenAI, or with --base-url any compatible server'
anthropic\t'Anthropic'
offline\t'No model: the bot quotes your documents'"
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l key-file -d 'File with the provider\'s key; - for the next line of standard input' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l base-url -d 'Address of an OpenAI-compatible server; an empty one is the provider\'s own again' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l model -d 'The model that answers' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l budget-usd-per-month -d 'What all answers together may cost in a month, in US dollars; off for any amount' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l documents -d 'Folder with the documents that answers quote; an empty one takes them away again' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l api-url -d 'Address of a Bot API server of your own' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l alert -d 'Whom to alert when the bot does not work' -r -f -a "telegram\t'A second Telegram bot'
smtp\t'Mail'
none\t'No alerts, or those that are already set up'"
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l drop-channel -d 'Take away a channel that setup wrote, such as telegram or smtp; can be given several times' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l alert-token-file -d 'File with the token of the second bot; - for the next line of standard input' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l alert-chat-id -d 'The chat that the second bot writes to' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l smtp-host -d 'Mail server' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l smtp-tls -d 'How to connect to it' -r -f -a "implicit\t'TLS from the first byte (port 465)'
starttls\t'TLS after a greeting (port 587)'
none\t'No TLS, only to this machine (port 25)'"
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l smtp-port -d 'Its port, if not the usual one' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l smtp-from -d 'Sender of the mail' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l smtp-to -d 'Recipient of the mail' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l smtp-user -d 'User at the mail server, if it requires a login' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l smtp-password-file -d 'File with that user\'s password; - for the next line of standard input' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l credentials-dir -d 'Where secrets are stored' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l alert-config -d 'Configuration of check-heartbeat; setup writes into the folder beside it' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l units-dir -d 'Where drop-ins of units are stored, for encrypted secrets' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l wait-s -d 'How long to wait until the service is ready, in seconds' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l no-verify -d 'Store the answers without trying token, key, model and alerts; for machines without a network'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -s y -l yes -d 'Change what an earlier setup wrote, or a configuration file sets, without asking'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l encrypt -d 'Encrypt the secrets with this machine\'s key (systemd-creds); later runs keep them encrypted'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l plain -d 'Store encrypted secrets as plain files again, which only root can read'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l no-start -d 'Do not start the service'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -l non-interactive -d 'Ask nothing; fail and name what is missing'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand setup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand usage" -l by -d 'By what to divide it' -r -f -a "day\t'By day of UTC'
user\t'By person, the dearest first'
chat\t'By chat, the dearest first'
model\t'By provider and model, the dearest first'"
complete -c katana-bot -n "__fish_katana_bot_using_subcommand usage" -l from -d 'First day, as 2026-11-01 [default: the first of this month, in UTC]' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand usage" -l to -d 'Last day [default: today, in UTC]' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand usage" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand usage" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand usage" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand usage" -l csv -d 'A table for spreadsheets'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand usage" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand extract" -l format -d 'Its format, where the ending of its name does not say it' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand extract" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand extract" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand extract" -l json -d 'Machine-readable output: headings, text, tables and code one by one'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand extract" -l stdin -d 'Read standard input in this process; for the daemon'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand extract" -l pdftotext -d 'Become pdftotext; for the daemon'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand extract" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and not __fish_seen_subcommand_from sync reindex use backup restore search eval status help" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and not __fish_seen_subcommand_from sync reindex use backup restore search eval status help" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and not __fish_seen_subcommand_from sync reindex use backup restore search eval status help" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and not __fish_seen_subcommand_from sync reindex use backup restore search eval status help" -f -a "sync" -d 'Look for changes in the documents now; the bot does it by itself while it runs'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and not __fish_seen_subcommand_from sync reindex use backup restore search eval status help" -f -a "reindex" -d 'Read all documents again; vectors of unchanged text stay'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and not __fish_seen_subcommand_from sync reindex use backup restore search eval status help" -f -a "use" -d 'Put a generation of vectors to use, in the place of the active one'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and not __fish_seen_subcommand_from sync reindex use backup restore search eval status help" -f -a "backup" -d 'Copy the index into a new file, also while the bot runs, and have Qdrant write a snapshot where it is used'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and not __fish_seen_subcommand_from sync reindex use backup restore search eval status help" -f -a "restore" -d 'Put a copy in the place of the index; stop the bot first'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and not __fish_seen_subcommand_from sync reindex use backup restore search eval status help" -f -a "search" -d 'Search the documents as the bot does, and show what is found with its score'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and not __fish_seen_subcommand_from sync reindex use backup restore search eval status help" -f -a "eval" -d 'Search for each question of a file, and show how often the right passage is found'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and not __fish_seen_subcommand_from sync reindex use backup restore search eval status help" -f -a "status" -d 'Show the documents, those that cannot be read with the reason, and how far their vectors are'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and not __fish_seen_subcommand_from sync reindex use backup restore search eval status help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from sync" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from sync" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from sync" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from reindex" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from reindex" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from reindex" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from use" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from use" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from use" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from backup" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from backup" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from backup" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from backup" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from restore" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from restore" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from search" -l generation -d 'Vectors of this generation instead of those in use; `katana-bot knowledge status` shows their numbers' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from search" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from search" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from search" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from search" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from eval" -l generation -d 'Vectors of this generation instead of those in use' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from eval" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from eval" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from eval" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from eval" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from status" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from status" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from status" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from help" -f -a "sync" -d 'Look for changes in the documents now; the bot does it by itself while it runs'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from help" -f -a "reindex" -d 'Read all documents again; vectors of unchanged text stay'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from help" -f -a "use" -d 'Put a generation of vectors to use, in the place of the active one'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from help" -f -a "backup" -d 'Copy the index into a new file, also while the bot runs, and have Qdrant write a snapshot where it is used'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Put a copy in the place of the index; stop the bot first'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from help" -f -a "search" -d 'Search the documents as the bot does, and show what is found with its score'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from help" -f -a "eval" -d 'Search for each question of a file, and show how often the right passage is found'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show the documents, those that cannot be read with the reason, and how far their vectors are'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand knowledge; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve claim remove help" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve claim remove help" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve claim remove help" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve claim remove help" -f -a "list" -d 'List owners, members and people who wait, with their pairing codes'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve claim remove help" -f -a "approve" -d 'Let someone chat: by pairing code, or by Telegram user id'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve claim remove help" -f -a "claim" -d 'Make a new claim code for a bot without an owner, also while it runs'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve claim remove help" -f -a "remove" -d 'Revoke someone\'s right to chat'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and not __fish_seen_subcommand_from list approve claim remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from list" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from list" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from list" -l json -d 'Machine-readable output'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from approve" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from approve" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from approve" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from claim" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from claim" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from claim" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from remove" -s c -l config -d 'Configuration file [default: /etc/katana-bot/katana-bot.toml, if it exists]' -r -F
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from remove" -l instance -d 'katana-bot@NAME, one of several bots on this machine: its configuration, state and secrets' -r
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from help" -f -a "list" -d 'List owners, members and people who wait, with their pairing codes'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from help" -f -a "approve" -d 'Let someone chat: by pairing code, or by Telegram user id'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from help" -f -a "claim" -d 'Make a new claim code for a bot without an owner, also while it runs'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Revoke someone\'s right to chat'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand users; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "run" -d 'Run the bot until a signal stops it (SIGTERM, SIGINT)'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "healthcheck" -d 'Ask the running bot whether it works; exit 1 if not. For health checks of containers'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "check-config" -d 'Check the configuration and print every problem with a hint; exit 78 if there is one'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "print-config" -d 'Print the effective configuration with the origin of each value, secrets masked'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "status" -d 'Show the state of the daemon; exit 1 if it does not serve people'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "doctor" -d 'Check everything the bot needs, and say what to fix; exit 69 or 78 if something is wrong'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "deploy-check" -d 'Wait until a new instance works: ready, polls answered, the canary question answered; exit 69 if not'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "backup" -d 'Copy the state to a verified file that only you can read; works while the bot runs'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "restore" -d 'Replace the state with a backup, and keep the old state; the bot must be stopped'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "record-exit" -d 'Write down how systemd saw the daemon end; for the unit'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "setup" -d 'Set up the bot: token, provider, alerts, start; asks, or takes flags. Can be repeated'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "usage" -d 'Show what answers cost: tokens and money by day, person, chat or model'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "extract" -d 'Show what the bot reads of a document: Markdown, text, HTML, PDF, docx, odt, EPUB, CSV, code'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "knowledge" -d 'Show the documents and their index'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "users" -d 'List, approve and remove the people who may chat'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and not __fish_seen_subcommand_from run healthcheck check-config print-config status doctor deploy-check backup restore record-exit setup usage extract knowledge users help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from knowledge" -f -a "sync" -d 'Look for changes in the documents now; the bot does it by itself while it runs'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from knowledge" -f -a "reindex" -d 'Read all documents again; vectors of unchanged text stay'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from knowledge" -f -a "use" -d 'Put a generation of vectors to use, in the place of the active one'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from knowledge" -f -a "backup" -d 'Copy the index into a new file, also while the bot runs, and have Qdrant write a snapshot where it is used'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from knowledge" -f -a "restore" -d 'Put a copy in the place of the index; stop the bot first'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from knowledge" -f -a "search" -d 'Search the documents as the bot does, and show what is found with its score'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from knowledge" -f -a "eval" -d 'Search for each question of a file, and show how often the right passage is found'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from knowledge" -f -a "status" -d 'Show the documents, those that cannot be read with the reason, and how far their vectors are'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from users" -f -a "list" -d 'List owners, members and people who wait, with their pairing codes'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from users" -f -a "approve" -d 'Let someone chat: by pairing code, or by Telegram user id'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from users" -f -a "claim" -d 'Make a new claim code for a bot without an owner, also while it runs'
complete -c katana-bot -n "__fish_katana_bot_using_subcommand help; and __fish_seen_subcommand_from users" -f -a "remove" -d 'Revoke someone\'s right to chat'
