"""What the package promises, in the order in which an administrator meets it.

Each check is a function of a Stage; its name is what it shows. Later checks stand on earlier ones.
"""

from . import advice, alerts, as_root, documents, faults, first, many, repository, setup, states, times, upkeep

ALL = [
    first.installing_pulls_nothing_else,
    first.without_a_token_it_waits_and_nothing_fails,
    first.units_are_clean_here,
    first.with_a_token_it_starts_and_reports_its_state,
    first.a_conversation_works,
    first.it_may_be_confined_to_telegram,
    first.the_journal_is_useful,
    first.secrets_are_not_visible,
    first.anyone_may_check_the_heartbeat,
    alerts.alerts_reach_a_second_bot_and_a_mailbox,
    as_root.what_root_types_is_done_by_the_checkers_user,
    states.a_container_that_hides_its_boot_id_misleads_no_one,
    states.a_hang_is_named_and_its_remedy_works,
    states.a_stopped_bot_is_started_by_what_status_says,
    states.an_end_by_a_signal_is_shown_with_its_cause,
    advice.the_runbook_names_only_commands_that_work,
    advice.each_end_of_the_bot_is_repaired_by_what_status_says,
    advice.an_alert_is_enough_to_bring_the_bot_back,
    advice.a_token_is_brought_by_what_status_and_doctor_say,
    advice.a_model_that_fails_is_found_by_the_runbook,
    advice.a_pause_is_shown_with_the_way_out,
    advice.permissions_are_repaired_by_what_doctor_says,
    advice.a_silence_and_an_acknowledgement_hold_back_what_they_say,
    advice.the_checker_serves_nagios_loops_and_other_machines,
    faults.a_kill_loses_nothing,
    faults.a_process_that_hangs_is_restarted,
    faults.a_reload_changes_what_it_says,
    documents.documents_are_read_under_the_hardened_unit,
    faults.a_bad_configuration_is_reported_once_and_at_once,
    alerts.an_outage_sends_one_alert_and_its_end_one,
    times.from_fault_to_alert,
    faults.exits_in_a_loop_send_one_alert,
    faults.on_a_full_disk_nothing_is_lost,
    faults.out_of_memory_it_is_killed_and_loses_nothing,
    faults.a_missing_token_is_waited_for,
    faults.a_wrong_token_is_named,
    many.instances_do_not_touch_each_other,
    many.three_bots_live_side_by_side,
    many.one_of_several_is_backed_up_and_restored,
    many.one_token_for_two_bots_is_explained,
    setup.a_script_sets_a_bot_up,
    setup.a_failed_start_is_reported_at_once,
    setup.what_setup_prints_starts_the_bot_later,
    setup.a_person_sets_a_bot_up,
    setup.secrets_can_be_encrypted,
    setup.several_providers_have_their_keys_from_systemd,
    upkeep.a_backup_brings_the_state_back,
    upkeep.a_nightly_backup_rotates_and_a_missing_one_is_reported,
    upkeep.a_machine_where_it_never_ran_takes_the_state,
    upkeep.the_state_of_a_newer_version_is_refused,
    repository.apt_installs_it_from_a_signed_repository,
    many.the_socket_refuses_no_one,
    faults.clients_of_a_bot_that_cannot_start_get_a_503,
    faults.a_socket_whose_bot_has_no_token_gives_up_and_comes_back,
    upkeep.an_update_loses_nothing,
    upkeep.going_back_after_the_update_works_as_the_page_says,
    upkeep.an_unattended_update_asks_nothing,
    upkeep.a_library_that_changes_restarts_it,
    alerts.cron_and_timer_report_nothing_twice,
    many.supervisor_runs_it_too,
    upkeep.piuparts_finds_nothing_left,
    upkeep.an_update_waits_for_no_bot_that_cannot_start,
    upkeep.removing_keeps_what_is_yours,
    upkeep.purging_leaves_nothing,
]

# What all others stand on.
START = [
    first.installing_pulls_nothing_else,
    first.with_a_token_it_starts_and_reports_its_state,
    first.a_conversation_works,
    alerts.alerts_reach_a_second_bot_and_a_mailbox,
]

# Left out unless they are asked for: too long for each change.
LONG = [times.from_fault_to_alert, upkeep.piuparts_finds_nothing_left]
