//! The log: lines to the host, escaped and cut, and a panic hook that tells where but never what.

use std::panic;

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::abi;

/// The longest line, in octets; one host cuts at 4096 itself.
const MAX_LINE: usize = 2000;

const CRITICAL: u32 = 5;

struct HostLog;

impl Log for HostLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = match record.level() {
                Level::Trace => 0,
                Level::Debug => 1,
                Level::Info => 2,
                Level::Warn => 3,
                Level::Error => 4,
            };
            abi::log(level, &line(&record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

/// Text as one line: control characters become spaces, and what is too long is cut.
fn line(text: &str) -> String {
    let mut line = String::from("gatekey: ");
    for c in text.chars() {
        if line.len() >= MAX_LINE {
            line.push('…');
            break;
        }
        line.push(if c.is_control() { ' ' } else { c });
    }
    line
}

/// Sends log lines and panics to the host.
pub(super) fn install() {
    static LOG: HostLog = HostLog;
    // Fails only if a logger stands already, which is then ours.
    let _ = log::set_logger(&LOG);
    log::set_max_level(LevelFilter::Info);
    // The message of a panic may hold octets of a request, so only its place is told.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        abi::log(CRITICAL, &format!("gatekey: stopped{place}"));
    }));
}
