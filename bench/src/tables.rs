//! The tables of a result, as text in cells.

use crate::figures::{self, Spread};
use crate::results::Results;
use crate::variants::PAIRS;

/// A table, not yet laid out.
pub struct Table {
    /// The names of the columns. All but the first hold numbers.
    pub head: Vec<&'static str>,
    /// The cells.
    pub rows: Vec<Vec<String>>,
}

/// What each variant costs.
pub fn variants(results: &Results) -> Table {
    let row = |row| {
        let figures = figures::of(results, row)?;
        Some(vec![
            row.name.clone(),
            format!("{:.1}", figures.cpu.median),
            format!("{:.2}", figures.added.median),
            quartiles(figures.added),
            format!("{:.2}", figures.rate.median),
        ])
    };
    Table {
        head: vec!["variant", "CPU us/request", "d us", "quartiles of d", "RPS to none"],
        rows: results.rows.iter().filter_map(row).collect(),
    }
}

/// Ours beside Envoy's own.
pub fn pairs(results: &Results) -> Table {
    let row = |(ours, native): &(&str, &str)| {
        let compared = figures::compared(results, ours, native)?;
        let added = if compared.faint { String::from("(d too small)") } else { format!("{:.2}", compared.added) };
        Some(vec![
            format!("{ours} / {native}"),
            added,
            format!("{:.2}", compared.total.median),
            quartiles(compared.total),
            format!("{:.2}", compared.rate.median),
        ])
    };
    Table {
        head: vec!["gatekey / native", "d / d", "total / total", "quartiles of total", "RPS / RPS"],
        rows: PAIRS.iter().filter_map(row).collect(),
    }
}

/// What a start costs.
pub fn starts(results: &Results) -> Table {
    let middle = |values: &[f64], digits: usize| format!("{:.digits$}", Spread::of(values).median);
    let row = |start: &crate::results::Start| {
        vec![
            start.name.clone(),
            middle(&start.listening, 0),
            middle(&start.cpu, 0),
            middle(&start.resident, 1),
            middle(&start.anonymous, 1),
        ]
    };
    let measured = |start: &&crate::results::Start| !start.listening.is_empty();
    Table {
        head: vec!["one listener with", "ms until it answers", "CPU ms until then", "RSS MB", "of it anonymous"],
        rows: results.starts.iter().filter(measured).map(row).collect(),
    }
}

/// A sentence on what was measured with what.
pub fn conditions(results: &Results) -> String {
    let pinned =
        if results.pinned { "a core each for Envoy and the load generator" } else { "NO core for Envoy alone" };
    format!(
        "{}: {}, {}, {pinned}; {} rounds of {} requests per variant; module {} KB (sha256 {}...); token {} octets, API key {}; \
         load average {:.1} before and {:.1} after, other processes used {:.1} % of the cores.",
        results.started,
        results.envoy,
        results.machine,
        results.rounds,
        results.requests,
        results.module_size.div_ceil(1024),
        results.module_digest.get(..12).unwrap_or_default(),
        results.token_length,
        results.key_length,
        results.load.0,
        results.load.1,
        results.others * 100.0,
    )
}

fn quartiles(spread: Spread) -> String {
    format!("{:.2} to {:.2}", spread.lower, spread.upper)
}
