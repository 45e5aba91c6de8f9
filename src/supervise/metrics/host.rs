//! What is judged, and the figures of process and machine.

use super::known::{self, Names};
use crate::observe::finding::{Kind, Status};
use crate::observe::liveness::Loop;
use crate::observe::vitals::Vitals;
use crate::supervise::exposition::Family;
use crate::supervise::report::{Phase, Report, System};

/// Version, verdict, findings and loops.
pub(super) fn verdict(names: &Names<'_>, vitals: &Vitals, report: &Report) -> Vec<Family> {
    let verdict = &report.verdict;
    let mut findings = Family::gauge(
        "katana_finding",
        &["finding", "severity"],
        "Whether a finding is open (1) or not (0).",
    );
    let mut events = Family::counter(
        "katana_finding_events_total",
        &["finding"],
        "Events that open a finding for a while.",
    );
    let happened = vitals.events();
    for kind in Kind::ALL {
        let open = verdict.findings.iter().find(|f| f.kind == kind);
        for severity in kind.facts().severities {
            let holds = open.is_some_and(|f| f.severity == *severity);
            findings = findings.with_flag(&[kind.name(), severity.name()], holds);
        }
        let count = happened.iter().find(|(k, _)| *k == kind).map_or(0, |(_, e)| e.count);
        events = events.with_count(&[kind.name()], count);
    }
    let mut status = Family::gauge(
        "katana_status",
        &["status"],
        "The verdict: 1 for the current status, 0 for the others.",
    );
    for one in [Status::Ok, Status::Degraded, Status::Failing] {
        status = status.with_flag(&[one.name()], verdict.status == one);
    }
    let mut phase = Family::gauge(
        "katana_phase",
        &["phase"],
        "The phase of the process: 1 for the current one, 0 for the others.",
    );
    for one in Phase::ALL {
        phase = phase.with_flag(&[one.name()], report.phase == one);
    }
    let [silent, running] = loops(vitals);
    vec![
        Family::gauge("katana_build_info", &["version", "environment"], "Always 1.")
            .with(&[names.version, names.environment], 1.0),
        features(names),
        status,
        findings,
        events,
        Family::gauge(
            "katana_ready",
            &[],
            "Whether a question asked now would be answered, according to the last report.",
        )
        .with_flag(&[], report.is_ready()),
        phase,
        Family::gauge(
            "katana_verdict_timestamp_seconds",
            &[],
            "When the verdict was last formed, Unix time.",
        )
        .with_some(&[], known::time_s((report.sequence > 0).then_some(report.reading.wall_ms))),
        silent,
        running,
        newest_backup(report),
    ]
}

fn features(names: &Names<'_>) -> Family {
    let about = "Whom a feature is on for; always 1.";
    let family = Family::gauge("katana_feature", &["feature", "audience"], about);
    names
        .features
        .iter()
        .fold(family, |family, (feature, audience)| family.with(&[feature, audience], 1.0))
}

fn newest_backup(report: &Report) -> Family {
    let about = "When the newest backup in backup.dir was made, Unix time; absent without one.";
    let newest_ms = report.reading.backups.as_ref().and_then(|backups| backups.newest_ms);
    Family::gauge("katana_backup_newest_timestamp_seconds", &[], about)
        .with_some(&[], known::time_s(newest_ms))
}

/// Since when each loop has not turned, and which of them run.
fn loops(vitals: &Vitals) -> [Family; 2] {
    let mut silent = Family::gauge(
        "katana_loop_silent_seconds",
        &["loop"],
        "Time since a loop last turned; 0 while it does not run.",
    );
    let mut running =
        Family::gauge("katana_loop_running", &["loop"], "Whether a loop runs (1) or not (0).");
    for looping in Loop::ALL {
        let ms = vitals.silent_ms(looping);
        silent = silent.with(&[looping.name()], ms.unwrap_or(0) as f64 / 1000.0);
        running = running.with_flag(&[looping.name()], ms.is_some());
    }
    [silent, running]
}

/// The process under the names that all Prometheus clients use.
pub(super) fn process(system: &System) -> Vec<Family> {
    let gauge = |name, help, value: f64| Family::gauge(name, &[], help).with(&[], value);
    let counter = |name, help, value: f64| Family::counter(name, &[], help).with(&[], value);
    vec![
        counter(
            "process_cpu_seconds_total",
            "Processor time that the process has used.",
            system.cpu_seconds,
        ),
        gauge(
            "process_resident_memory_bytes",
            "Memory of the process (RSS).",
            system.rss_bytes as f64,
        ),
        gauge(
            "process_open_fds",
            "Files and sockets that the process has open.",
            system.open_files as f64,
        ),
        gauge(
            "process_max_fds",
            "Files and sockets that the process may have open.",
            system.open_files_max as f64,
        ),
        gauge("process_threads", "Threads of the process.", system.threads as f64),
        gauge(
            "process_start_time_seconds",
            "When the process was started, Unix time.",
            system.started_s,
        ),
    ]
}

/// The machine, or the container.
pub(super) fn machine(system: &System) -> Vec<Family> {
    let gauge = |name, help, value: f64| Family::gauge(name, &[], help).with(&[], value);
    let counter = |name, help, value: f64| Family::counter(name, &[], help).with(&[], value);
    vec![
        Family::gauge(
            "katana_system_cpu_ratio",
            &[],
            "Share of all processors that was busy since the previous sample.",
        )
        .with_some(&[], system.cpu_ratio),
        gauge(
            "katana_system_memory_total_bytes",
            "Memory of the machine, or of the control group if it has a limit.",
            system.memory_total_bytes as f64,
        ),
        gauge(
            "katana_system_memory_used_bytes",
            "Memory in use that cannot be reclaimed.",
            system.memory_used_bytes as f64,
        ),
        gauge(
            "katana_system_disk_total_bytes",
            "Size of the file system that holds the state.",
            system.disk_total_bytes as f64,
        ),
        gauge(
            "katana_system_disk_free_bytes",
            "Space that the process may still use.",
            system.disk_free_bytes as f64,
        ),
        counter(
            "katana_system_network_received_bytes_total",
            "Bytes received over all interfaces except the loopback, since boot.",
            system.network_received_bytes as f64,
        ),
        counter(
            "katana_system_network_sent_bytes_total",
            "Bytes sent over all interfaces except the loopback, since boot.",
            system.network_sent_bytes as f64,
        ),
        gauge(
            "katana_system_processes",
            "Processes on the machine, as far as this process can see them.",
            system.processes as f64,
        ),
    ]
}
