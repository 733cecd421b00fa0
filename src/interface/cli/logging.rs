//! The program's own log: a file for its owner alone in the state folder. Never the terminal.
//!
//! `BATON_LOG` is a level (error, warn, info, debug, trace; off) for Baton itself; libraries only warn, because their
//! debug output may show what passes through them. Invariant: a log that can't be written stops nothing.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

/// A longer log is put aside as `baton.log.1` at the next start.
const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// Begins to log into `file`. Lines are written as long as the guard lives; none: there is no log.
pub(crate) fn start(file: &Path) -> Option<WorkerGuard> {
    let level = std::env::var("BATON_LOG").unwrap_or_default();
    let level = match level.trim().to_ascii_lowercase().as_str() {
        "off" => return None,
        word @ ("error" | "warn" | "info" | "debug" | "trace") => word.to_owned(),
        _ => "info".to_owned(),
    };
    let folder = file.parent()?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder).ok()?;
    if std::fs::metadata(file).is_ok_and(|meta| meta.len() > MOST_BYTES) {
        // A log that can't be put aside grows on.
        let _ = std::fs::rename(file, file.with_extension("log.1"));
    }
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(file).ok()?;
    let (writer, guard) = tracing_appender::non_blocking(opened);
    let filter = EnvFilter::try_new(format!("warn,baton={level}")).ok()?;
    let subscriber = tracing_subscriber::fmt().with_writer(writer).with_env_filter(filter).with_ansi(false).finish();
    tracing::subscriber::set_global_default(subscriber).ok()?;
    Some(guard)
}
