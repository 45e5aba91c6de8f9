//! `[reports]`: where errors of the program are reported to, besides the log.

use crate::config::resolved::Resolved;
use crate::config::rule::optional_secret;
use crate::config::secret::Secret;
use crate::config::section::section;
use crate::model::dsn::Dsn;

section! {
    /// The section `[reports]`: where errors of the program are reported to, besides the log.
    pub struct Reports in "reports", checked by check {
        /// The DSN of a project at a Sentry-compatible server, such as `https://KEY@sentry.example/42`:
        /// errors, panics and findings are reported there, without texts of messages and without ids of
        /// people and chats. Without it, nothing is reported.
        sentry_dsn: Option<Secret> = optional_secret("sentry-dsn").alias(&["SENTRY_DSN"])
            .when("When your team collects errors of its programs in one place.")
            .restart("reports begin with the log"),
    }
}

fn check(resolved: &mut Resolved<'_>) {
    const DSN: &str = "reports.sentry_dsn";
    let dsn: Option<Secret> = resolved.get(DSN);
    if dsn.is_some_and(|dsn| Dsn::parse(dsn.expose()).is_none()) {
        resolved.warn(
            DSN,
            "the value is not a DSN, so no errors are reported",
            "copy it from the settings of the project: https://KEY@HOST/NUMBER",
        );
    }
}
