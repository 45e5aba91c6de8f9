complete -c check-heartbeat -l file -d 'The heartbeat file to check [default: those of the configuration, else /run/katana-bot/heartbeat]' -r -F
complete -c check-heartbeat -l threshold -d 'Oldest heartbeat that is fresh, in seconds or like 2m [default: 120]' -r
complete -c check-heartbeat -l config -d 'The configuration [default: /etc/katana-bot/check-heartbeat.toml, if it exists]' -r -F
complete -c check-heartbeat -l state-dir -d 'Where incidents are remembered [default: $STATE_DIRECTORY, else /var/lib/katana-check for root, else ~/.local/state/check-heartbeat]' -r -F
complete -c check-heartbeat -l no-alert -d 'Check and print only: send nothing, remember nothing, fetch no ping_url'
complete -c check-heartbeat -l test-alert -d 'Send a test through every channel, and print each answer'
complete -c check-heartbeat -l nagios -d 'Output and exit status of a Nagios plugin'
complete -c check-heartbeat -s q -l quiet -d 'Print nothing unless something is critical'
complete -c check-heartbeat -l warn-exit -d 'Exit with 1 also when the worst is a warning'
complete -c check-heartbeat -l json -d 'Print one JSON object with everything that was found and done'
complete -c check-heartbeat -s v -l verbose -d 'Also print what was sent to which channel'
complete -c check-heartbeat -s h -l help -d 'Print help'
complete -c check-heartbeat -s V -l version -d 'Print version'
