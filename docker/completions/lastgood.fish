# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_lastgood_global_optspecs
    string join \n config= json h/help V/version
end

function __fish_lastgood_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_lastgood_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_lastgood_using_subcommand
    set -l cmd (__fish_lastgood_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c lastgood -n "__fish_lastgood_needs_command" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_needs_command" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_needs_command" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_needs_command" -s V -l version -d 'Print version'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "serve" -d 'Serve the configured zones until SIGTERM'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "reload" -d 'Read the configuration anew; refused where it protects less or what is served does not meet it'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "status" -d 'How the server and its zones are; exit code 1 when a zone holds or cannot be served'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "zone" -d 'List, check, import, export, remove and accept zones'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "snapshot" -d 'Look at the last-known-good versions, and rebuild live data from them'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "why" -d 'Tell who asked for a change, what was asked, and how each rule judged it'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "log" -d 'The latest changes, refused ones included'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "diff" -d 'What lies between two revisions of a zone'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "verify" -d 'Read the whole store and compare it with what was written; exit code 1 when it differs'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "backup" -d 'Copy the store to a new file, while the server goes on'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "freeze" -d 'Refuse every change of the server, of a zone or by a key, until thawed'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "thaw" -d 'End a freeze'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "key" -d 'Make keys for signed updates'
complete -c lastgood -n "__fish_lastgood_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lastgood -n "__fish_lastgood_using_subcommand serve" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand serve" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand serve" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand reload" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand reload" -l weaker -d 'Let in what protects less than before'
complete -c lastgood -n "__fish_lastgood_using_subcommand reload" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand reload" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand status" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand status" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand status" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and not __fish_seen_subcommand_from list check import export remove accept help" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and not __fish_seen_subcommand_from list check import export remove accept help" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and not __fish_seen_subcommand_from list check import export remove accept help" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and not __fish_seen_subcommand_from list check import export remove accept help" -f -a "list" -d 'List the zones'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and not __fish_seen_subcommand_from list check import export remove accept help" -f -a "check" -d 'Say everything that is wrong with a zone file; needs neither server nor configuration'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and not __fish_seen_subcommand_from list check import export remove accept help" -f -a "import" -d 'Bring a zone file into the server, whole or not at all'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and not __fish_seen_subcommand_from list check import export remove accept help" -f -a "export" -d 'Print a zone as a zone file, as it is served'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and not __fish_seen_subcommand_from list check import export remove accept help" -f -a "remove" -d 'Take a zone away, with all its records'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and not __fish_seen_subcommand_from list check import export remove accept help" -f -a "accept" -d 'Take the live data of a zone that holds as they are'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and not __fish_seen_subcommand_from list check import export remove accept help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from list" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from check" -l origin -d 'The zone\'s name' -r
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from check" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from check" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from import" -l override -d 'Let this rule, and no other, be broken' -r -f -a "min-members\t''
validate\t''"
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from import" -l reason -d 'Why, for the audit' -r
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from import" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from import" -l replace -d 'Put the file in the place of a zone that is served'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from import" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from export" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from export" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from remove" -l override -d 'Let this rule, and no other, be broken' -r -f -a "min-members\t''
validate\t''"
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from remove" -l reason -d 'Why, for the audit' -r
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from remove" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from remove" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from accept" -l override -d 'Let this rule, and no other, be broken' -r -f -a "min-members\t''
validate\t''"
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from accept" -l reason -d 'Why, for the audit' -r
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from accept" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from accept" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from accept" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the zones'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from help" -f -a "check" -d 'Say everything that is wrong with a zone file; needs neither server nor configuration'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from help" -f -a "import" -d 'Bring a zone file into the server, whole or not at all'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from help" -f -a "export" -d 'Print a zone as a zone file, as it is served'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Take a zone away, with all its records'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from help" -f -a "accept" -d 'Take the live data of a zone that holds as they are'
complete -c lastgood -n "__fish_lastgood_using_subcommand zone; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and not __fish_seen_subcommand_from show export restore help" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and not __fish_seen_subcommand_from show export restore help" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and not __fish_seen_subcommand_from show export restore help" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and not __fish_seen_subcommand_from show export restore help" -f -a "show" -d 'What the last-known-good snapshot holds'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and not __fish_seen_subcommand_from show export restore help" -f -a "export" -d 'Print a zone as the snapshot file has it; refused where it does not add up'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and not __fish_seen_subcommand_from show export restore help" -f -a "restore" -d 'Write the live data of zones that hold anew, from what is served'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and not __fish_seen_subcommand_from show export restore help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from show" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from export" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from export" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from restore" -l override -d 'Let this rule, and no other, be broken' -r -f -a "min-members\t''
validate\t''"
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from restore" -l reason -d 'Why, for the audit' -r
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from restore" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from restore" -l all -d 'Every zone that holds'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from restore" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "show" -d 'What the last-known-good snapshot holds'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "export" -d 'Print a zone as the snapshot file has it; refused where it does not add up'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Write the live data of zones that hold anew, from what is served'
complete -c lastgood -n "__fish_lastgood_using_subcommand snapshot; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lastgood -n "__fish_lastgood_using_subcommand why" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand why" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand why" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand log" -l limit -d 'How many' -r
complete -c lastgood -n "__fish_lastgood_using_subcommand log" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand log" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand log" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand diff" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand diff" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand diff" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand verify" -l head -d 'A head noted earlier: prove that nothing up to it was rewritten' -r
complete -c lastgood -n "__fish_lastgood_using_subcommand verify" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand verify" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand verify" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand backup" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand backup" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand backup" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand freeze" -l zone -d 'Changes of this zone' -r
complete -c lastgood -n "__fish_lastgood_using_subcommand freeze" -l key -d 'Changes by this key' -r
complete -c lastgood -n "__fish_lastgood_using_subcommand freeze" -l reason -d 'Why, for those whose changes are refused and for the audit' -r
complete -c lastgood -n "__fish_lastgood_using_subcommand freeze" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand freeze" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand freeze" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand thaw" -l zone -d 'Changes of this zone' -r
complete -c lastgood -n "__fish_lastgood_using_subcommand thaw" -l key -d 'Changes by this key' -r
complete -c lastgood -n "__fish_lastgood_using_subcommand thaw" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand thaw" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand thaw" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand key; and not __fish_seen_subcommand_from generate help" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand key; and not __fish_seen_subcommand_from generate help" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand key; and not __fish_seen_subcommand_from generate help" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand key; and not __fish_seen_subcommand_from generate help" -f -a "generate" -d 'Make a new secret and print it, as a file for `nsupdate -k` and `secret_file`'
complete -c lastgood -n "__fish_lastgood_using_subcommand key; and not __fish_seen_subcommand_from generate help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lastgood -n "__fish_lastgood_using_subcommand key; and __fish_seen_subcommand_from generate" -l algorithm -d 'hmac-sha256, hmac-sha384, hmac-sha512, hmac-sha224 or hmac-sha1' -r
complete -c lastgood -n "__fish_lastgood_using_subcommand key; and __fish_seen_subcommand_from generate" -l file -d 'Write the key to this new file, with mode 0600, and print its stanza only' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand key; and __fish_seen_subcommand_from generate" -l config -d 'The configuration [default: lastgood.toml, then /etc/lastgood/lastgood.toml]' -r -F
complete -c lastgood -n "__fish_lastgood_using_subcommand key; and __fish_seen_subcommand_from generate" -l json -d 'Print JSON'
complete -c lastgood -n "__fish_lastgood_using_subcommand key; and __fish_seen_subcommand_from generate" -s h -l help -d 'Print help'
complete -c lastgood -n "__fish_lastgood_using_subcommand key; and __fish_seen_subcommand_from help" -f -a "generate" -d 'Make a new secret and print it, as a file for `nsupdate -k` and `secret_file`'
complete -c lastgood -n "__fish_lastgood_using_subcommand key; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "serve" -d 'Serve the configured zones until SIGTERM'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "reload" -d 'Read the configuration anew; refused where it protects less or what is served does not meet it'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "status" -d 'How the server and its zones are; exit code 1 when a zone holds or cannot be served'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "zone" -d 'List, check, import, export, remove and accept zones'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "snapshot" -d 'Look at the last-known-good versions, and rebuild live data from them'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "why" -d 'Tell who asked for a change, what was asked, and how each rule judged it'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "log" -d 'The latest changes, refused ones included'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "diff" -d 'What lies between two revisions of a zone'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "verify" -d 'Read the whole store and compare it with what was written; exit code 1 when it differs'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "backup" -d 'Copy the store to a new file, while the server goes on'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "freeze" -d 'Refuse every change of the server, of a zone or by a key, until thawed'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "thaw" -d 'End a freeze'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "key" -d 'Make keys for signed updates'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and not __fish_seen_subcommand_from serve reload status zone snapshot why log diff verify backup freeze thaw key help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and __fish_seen_subcommand_from zone" -f -a "list" -d 'List the zones'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and __fish_seen_subcommand_from zone" -f -a "check" -d 'Say everything that is wrong with a zone file; needs neither server nor configuration'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and __fish_seen_subcommand_from zone" -f -a "import" -d 'Bring a zone file into the server, whole or not at all'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and __fish_seen_subcommand_from zone" -f -a "export" -d 'Print a zone as a zone file, as it is served'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and __fish_seen_subcommand_from zone" -f -a "remove" -d 'Take a zone away, with all its records'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and __fish_seen_subcommand_from zone" -f -a "accept" -d 'Take the live data of a zone that holds as they are'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and __fish_seen_subcommand_from snapshot" -f -a "show" -d 'What the last-known-good snapshot holds'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and __fish_seen_subcommand_from snapshot" -f -a "export" -d 'Print a zone as the snapshot file has it; refused where it does not add up'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and __fish_seen_subcommand_from snapshot" -f -a "restore" -d 'Write the live data of zones that hold anew, from what is served'
complete -c lastgood -n "__fish_lastgood_using_subcommand help; and __fish_seen_subcommand_from key" -f -a "generate" -d 'Make a new secret and print it, as a file for `nsupdate -k` and `secret_file`'
