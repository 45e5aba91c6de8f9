//! Figures of the machine and of this process, from procfs(5), cgroups and statvfs(3).
//!
//! Invariant: what cannot be read stays 0 or `None` and spoils nothing else; a hardened unit hides
//! parts of `/proc` (systemd.exec(5), `ProtectProc=`).

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use procfs::net::InterfaceDeviceStatus;
use procfs::process::{LimitValue, Limits, Stat};
use procfs::{
    FromRead, FromReadSI, KernelStats, LocalSystemInfo, Meminfo, ProcessCGroups, page_size,
    ticks_per_second,
};

use super::report::System;

/// Looks at the machine.
#[derive(Debug)]
pub struct Machine {
    proc: PathBuf,
    cgroups: PathBuf,
    /// Processor time at the sample before, in ticks: busy, and all.
    ticks: Option<(u64, u64)>,
}

impl Default for Machine {
    fn default() -> Self {
        Self::at("/proc", "/sys/fs/cgroup")
    }
}

impl Machine {
    /// This machine.
    pub fn new() -> Self {
        Self::default()
    }

    /// A machine whose procfs and whose version 2 cgroups are mounted there.
    pub fn at(proc: impl Into<PathBuf>, cgroups: impl Into<PathBuf>) -> Self {
        Self { proc: proc.into(), cgroups: cgroups.into(), ticks: None }
    }

    /// All figures; `state_dir` is a folder on the disk that matters. The first sample has no
    /// `cpu_ratio`.
    pub fn sample(&mut self, state_dir: &Path) -> System {
        let mut system = System::default();
        self.processors(&mut system);
        self.memory(&mut system);
        self.network(&mut system);
        self.process(&mut system);
        self.disk(&mut system, state_dir);
        system
    }

    /// Samples only the disk again, which can fill quickly.
    pub fn disk(&self, system: &mut System, state_dir: &Path) {
        let Ok(room) = hygiene::disk::room(state_dir) else { return };
        (system.disk_free_bytes, system.disk_total_bytes) = (room.free, room.total);
    }

    fn processors(&mut self, system: &mut System) {
        let Ok(stats) = KernelStats::from_file(self.proc.join("stat"), &LocalSystemInfo) else {
            return;
        };
        let cpu = &stats.total;
        let rest = [cpu.irq, cpu.softirq, cpu.steal].into_iter().flatten().sum::<u64>();
        let busy = cpu.user + cpu.nice + cpu.system + rest;
        let all = busy + cpu.idle + cpu.iowait.unwrap_or(0);
        if let Some((busy_before, all_before)) = self.ticks.replace((busy, all)) {
            let (busy, all) = (busy.saturating_sub(busy_before), all.saturating_sub(all_before));
            system.cpu_ratio = (all > 0).then(|| (busy as f64 / all as f64).min(1.0));
        }
        // Boot time; the start of the process is counted from there.
        system.started_s = stats.btime as f64;
    }

    fn memory(&self, system: &mut System) {
        if let Ok(memory) = Meminfo::from_file(self.proc.join("meminfo")) {
            let free = memory.mem_available.unwrap_or(memory.mem_free);
            system.memory_total_bytes = memory.mem_total;
            system.memory_used_bytes = memory.mem_total.saturating_sub(free);
        }
        if let Some((limit, used)) = self.limit()
            && (limit < system.memory_total_bytes || system.memory_total_bytes == 0)
        {
            (system.memory_total_bytes, system.memory_used_bytes) = (limit, used);
        }
    }

    /// The narrowest memory limit of the control groups that this process is in, and what is used
    /// of it, in bytes.
    fn limit(&self) -> Option<(u64, u64)> {
        let groups = ProcessCGroups::from_file(self.proc.join("self/cgroup")).ok()?;
        // Version 2 is hierarchy 0 (cgroups(7)).
        let group = groups.0.into_iter().find(|g| g.hierarchy == 0)?.pathname;
        let parts: PathBuf =
            Path::new(&group).components().filter(|c| matches!(c, Component::Normal(_))).collect();
        let limits = parts.ancestors().filter_map(|group| {
            let dir = self.cgroups.join(group);
            let number = |name| fs::read_to_string(dir.join(name)).ok()?.trim().parse().ok();
            // Without a limit the file says "max", which is not a number.
            let limit: u64 = number("memory.max")?;
            let current: u64 = number("memory.current")?;
            Some((limit, current.saturating_sub(inactive_file(&dir))))
        });
        limits.min_by_key(|(limit, _)| *limit)
    }

    fn network(&self, system: &mut System) {
        let devices = InterfaceDeviceStatus::from_file(self.proc.join("self/net/dev"));
        let devices: HashMap<_, _> = devices.map(|d| d.0).unwrap_or_default();
        for device in devices.values().filter(|device| device.name != "lo") {
            system.network_received_bytes += device.recv_bytes;
            system.network_sent_bytes += device.sent_bytes;
        }
    }

    /// Runs after [`Machine::processors`], which finds the time of boot.
    fn process(&self, system: &mut System) {
        let own = self.proc.join("self");
        let boot_s = std::mem::take(&mut system.started_s);
        if let Ok(stat) = Stat::from_file(own.join("stat")) {
            let per_s = ticks_per_second() as f64;
            system.rss_bytes = stat.rss.saturating_mul(page_size());
            system.threads = u64::try_from(stat.num_threads).unwrap_or(0);
            system.cpu_seconds = (stat.utime + stat.stime) as f64 / per_s;
            if boot_s > 0.0 {
                system.started_s = boot_s + stat.starttime as f64 / per_s;
            }
        }
        if let Ok(Limits { max_open_files, .. }) = Limits::from_file(own.join("limits")) {
            system.open_files_max = match max_open_files.soft_limit {
                LimitValue::Value(n) => n,
                LimitValue::Unlimited => u64::MAX,
            };
        }
        // The folder itself is open while it is read.
        let files = fs::read_dir(own.join("fd")).map_or(0, Iterator::count);
        system.open_files = files.saturating_sub(1) as u64;
        let is_process =
            |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        let entries = fs::read_dir(&self.proc).into_iter().flatten().flatten();
        system.processes = entries.filter(|e| is_process(&e.file_name())).count() as u64;
    }
}

/// File contents in memory that are given back under pressure, in bytes: counted as used by the
/// kernel, but nothing to worry about.
fn inactive_file(dir: &Path) -> u64 {
    let stat = fs::read_to_string(dir.join("memory.stat")).unwrap_or_default();
    let line = stat.lines().find_map(|line| line.strip_prefix("inactive_file "));
    line.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_plausible_figures() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut machine = Machine::new();
        let first = machine.sample(dir.path());
        assert_eq!(first.cpu_ratio, None);
        // Enough work that the clock ticks in between.
        let begun = std::time::Instant::now();
        while begun.elapsed().as_millis() < 60 {
            std::hint::black_box(machine.limit());
        }
        let system = machine.sample(dir.path());
        let busy = system.cpu_ratio.expect("the second sample has one");
        assert!((0.0..=1.0).contains(&busy) && busy > 0.0, "{busy}");
        assert!(system.memory_used_bytes > 0, "{system:?}");
        assert!(system.memory_used_bytes <= system.memory_total_bytes, "{system:?}");
        assert!(system.disk_free_bytes > 0, "{system:?}");
        assert!(system.disk_free_bytes <= system.disk_total_bytes, "{system:?}");
        assert!((1 << 20..1 << 34).contains(&system.rss_bytes), "{system:?}");
        assert!(system.processes >= 1 && system.threads >= 1, "{system:?}");
        assert!(system.open_files >= 3 && system.open_files < system.open_files_max, "{system:?}");
        assert!(system.cpu_seconds >= first.cpu_seconds);
        let now_s = crate::observe::clock::Clock::system().now_ms() as f64 / 1e3;
        assert!((0.0..86_400.0).contains(&(now_s - system.started_s)), "{system:?}");
    }

    #[test]
    fn open_files_are_counted() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut machine = Machine::new();
        let before = machine.sample(dir.path()).open_files;
        let open: Vec<_> =
            (0..300).map(|i| fs::File::create(dir.path().join(i.to_string()))).collect();
        let after = machine.sample(dir.path()).open_files;
        // Other tests of this process open and close files meanwhile.
        assert!(after >= before.saturating_sub(200) + open.len() as u64, "{before}, {after}");
    }

    /// A machine of 8 GiB with this control group, and these files in its folders.
    fn limited(group: &str, files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: PathBuf, text: &str| {
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        let (proc, cgroups) = (root.path().join("proc"), root.path().join("cgroup"));
        let memory = "MemTotal: 8388608 kB\nMemFree: 1048576 kB\nMemAvailable: 6291456 kB\n\
                      Buffers: 0 kB\nCached: 0 kB\nSwapCached: 0 kB\nActive: 0 kB\n\
                      Inactive: 0 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\nDirty: 0 kB\n\
                      Writeback: 0 kB\nMapped: 0 kB\nSlab: 0 kB\nCommitted_AS: 0 kB\n\
                      VmallocTotal: 0 kB\nVmallocUsed: 0 kB\nVmallocChunk: 0 kB\n";
        write(proc.join("meminfo"), memory);
        write(proc.join("self/cgroup"), &format!("3:cpuset:/x\n0::{group}\n"));
        for (path, text) in files {
            write(cgroups.join(path), text);
        }
        (root, Machine::at(proc, cgroups))
    }

    #[test]
    fn the_narrowest_limit_of_the_control_groups_counts() {
        const GIB: u64 = 1 << 30;
        let stat = "anon 1\ninactive_file 104857600\nactive_file 7\n";
        let own = [
            ("system.slice/memory.max", "4294967296\n"),
            ("system.slice/memory.current", "3221225472\n"),
            ("system.slice/k.service/memory.max", "536870912\n"),
            ("system.slice/k.service/memory.current", "314572800\n"),
            ("system.slice/k.service/memory.stat", stat),
        ];
        let figures = |group, files: &[(&str, &str)]| {
            let (root, mut machine) = limited(group, files);
            let system = machine.sample(root.path());
            (system.memory_total_bytes, system.memory_used_bytes)
        };
        let whole = (8 * GIB, 2 * GIB);
        assert_eq!(figures("/system.slice/k.service", &own), (512 << 20, 200 << 20));
        assert_eq!(figures("/system.slice/k.service", &own[..2]), (4 * GIB, 3 * GIB));
        assert_eq!(figures("/system.slice/k.service", &[]), whole);
        let max = [("a/memory.max", "max\n"), ("a/memory.current", "1\n")];
        assert_eq!(figures("/a", &max), whole);
        let large = [("a/memory.max", "99999999999\n"), ("a/memory.current", "1\n")];
        assert_eq!(figures("/a", &large), whole, "a limit above the machine is none");
        assert_eq!(figures("/../../a", &max), whole, "a group outside of what is seen");
    }

    #[test]
    fn what_cannot_be_read_spoils_nothing_else() {
        let root = tempfile::tempdir().expect("a folder");
        let mut machine = Machine::at(root.path().join("none"), root.path().join("none"));
        let system = machine.sample(root.path());
        assert!(system.disk_total_bytes > 0);
        let (total, free) = (system.disk_total_bytes, system.disk_free_bytes);
        let unread = System { disk_total_bytes: total, disk_free_bytes: free, ..System::default() };
        assert_eq!(system, unread);
        let mut system = System::default();
        machine.disk(&mut system, &root.path().join("none"));
        assert_eq!(system, System::default());
    }
}
