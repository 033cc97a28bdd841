//! What was done, for people or as JSON.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use model::wording;
use serde::Serialize;

/// What a backup or a restore came to.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// What was done: `backup`, `check` or `restore`.
    pub(super) done: &'static str,
    /// Where the backup is: a file, or an object of a bucket as `s3://BUCKET/KEY`.
    pub(super) file: String,
    /// Its size.
    pub(super) file_bytes: u64,
    /// The moment that it shows.
    pub(super) made_at: Timestamp,
    /// The version of `paasd` that made it.
    pub(super) version: String,
    /// Bytes of what is in it.
    pub(super) content_bytes: u64,
    /// The apps in it, by name.
    pub(super) apps: Vec<String>,
    /// Images of slugs in it.
    pub(super) images: u64,
    /// The data directory that was made.
    pub(super) data_dir: Option<PathBuf>,
    /// What is not as it should be, a sentence each.
    pub(super) warnings: Vec<String>,
    /// What to do now.
    pub(super) next: Option<String>,
}

impl Report {
    fn text(&self) -> String {
        let apps = wording::count(self.apps.len(), "app");
        let images = wording::count(usize::try_from(self.images).unwrap_or(usize::MAX), "slug");
        let holds = format!(
            "{apps}, {images}, {} in {}",
            wording::bytes(self.content_bytes),
            wording::bytes(self.file_bytes)
        );
        let file = &self.file;
        let mut text = match self.done {
            "backup" => format!("{file} is written and was read back: {holds}"),
            "check" => format!("{file} is whole: {holds}, of {} by paasd {}", self.made_at, self.version),
            _ => format!("{file} is restored: {holds}, of {}", self.made_at),
        };
        if let Some(next) = &self.next {
            text.push('\n');
            text.push_str(next);
        }
        text
    }
}

/// Prints the report, or why there is none. Returns the process's exit code.
pub(super) fn tell(done: anyhow::Result<Report>, json: bool) -> ExitCode {
    let told = match &done {
        Ok(report) if json => serde_json::to_string(report)
            .map_err(io::Error::other)
            .and_then(|text| writeln!(io::stdout(), "{text}")),
        Ok(report) => writeln!(io::stdout(), "{}", report.text()),
        Err(error) => writeln!(io::stderr(), "error: {error:#}"),
    };
    if done.is_ok() && told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
