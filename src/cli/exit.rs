//! Exit codes of sysexits(3), as the unit expects them.

/// The command line is invalid.
pub const USAGE: u8 = 64;
/// A document cannot be read.
pub const UNREADABLE: u8 = 65;
/// Something the bot requires is not available.
pub const UNAVAILABLE: u8 = 69;
/// Something is wrong with the program itself.
pub const SOFTWARE: u8 = 70;
/// Try again later.
pub const TEMPFAIL: u8 = 75;
/// The configuration has to be fixed first.
pub const CONFIG: u8 = 78;
