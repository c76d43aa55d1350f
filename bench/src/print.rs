//! Lays the tables out, for a terminal or as Markdown.

use crate::results::Results;
use crate::tables::{self, Table};

/// For a terminal.
pub fn plain(results: &Results) -> String {
    let laid_out =
        [tables::variants(results), tables::pairs(results), tables::starts(results)].map(|table| columns(&table));
    let mut text = format!("\n{}\n", tables::conditions(results));
    text.push_str("d = CPU above the same request without filter in the same round; all figures are medians.\n\n");
    text.push_str(&laid_out.concat());
    for warning in &results.warnings {
        text.push_str(&format!("!!! {warning}\n"));
    }
    text
}

/// As Markdown, ready for docs/performance.md.
pub fn markdown(results: &Results) -> String {
    let laid_out =
        [tables::variants(results), tables::pairs(results), tables::starts(results)].map(|table| piped(&table));
    let mut text = format!("{}\n\n{}", tables::conditions(results), laid_out.concat());
    for warning in &results.warnings {
        text.push_str(&format!("**{warning}**\n\n"));
    }
    text
}

fn columns(table: &Table) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    let width = |column: usize| {
        let cells = table.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(table.head.get(column).map(|name| name.chars().count())).max().unwrap_or(0)
    };
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().enumerate().map(|(column, cell)| match column {
            0 => format!("{cell:<0$}", width(column)),
            _ => format!("{cell:>0$}", width(column)),
        });
        padded.collect::<Vec<_>>().join("  ") + "\n"
    };
    let mut text = line(table.head.clone());
    for row in &table.rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text + "\n"
}

fn piped(table: &Table) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut rule = vec!["---"];
    rule.resize(table.head.len(), "---:");
    let mut text = line(table.head.clone()) + &line(rule);
    for row in &table.rows {
        text.push_str(&line(row.iter().map(String::as_str).collect()));
    }
    text + "\n"
}
