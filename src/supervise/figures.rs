//! Figures in words, for the texts of findings.

/// Longest line, in characters.
pub const LINE_CHARS: usize = 200;

const MIB: f64 = 1024.0 * 1024.0;

/// A duration that is short by nature.
pub(super) fn seconds(s: f64) -> String {
    if s < 1.0 { format!("{:.0} ms", s * 1000.0) } else { format!("{s:.1} s") }
}

/// A share of 1 in per cent.
pub(super) fn share(ratio: f64) -> String {
    // Rounded down, so that a share below its threshold never reads as if it had reached it.
    let percent = ratio * 100.0 + 1e-6;
    if percent < 10.0 {
        format!("{:.1} %", (percent * 10.0).floor() / 10.0)
    } else {
        format!("{:.0} %", percent.floor())
    }
}

/// A size in binary units.
pub(super) fn bytes(n: u64) -> String {
    let mib = n as f64 / MIB;
    if mib < 1024.0 { format!("{mib:.0} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}

/// One bounded line of it.
pub(super) fn line(text: &str) -> String {
    hygiene::line::one_line(text, LINE_CHARS)
}
