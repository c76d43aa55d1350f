//! The plot: one bar per variant, of which the light part is the request itself and the rest the filter.

use crate::figures;
use crate::results::Results;
use crate::variants::PAIRS;

const WIDTH: f64 = 900.0;
const LEFT: f64 = 270.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 78.0;
const STEP: f64 = 23.0;
const BAR: f64 = 17.0;
const GAP: f64 = 9.0;
const AXIS: f64 = 46.0;

/// The plot as SVG.
pub fn draw(results: &Results) -> String {
    let figures: Vec<_> = results.rows.iter().filter_map(|row| Some((row, figures::of(results, row)?))).collect();
    let gaps = gaps(figures.iter().map(|(row, _)| row.name.as_str()));
    let bottom = TOP + STEP * figures.len() as f64 + gaps.last().copied().unwrap_or(0.0);
    let largest = figures.iter().map(|(_, f)| f.cpu.median + f.added.upper - f.added.median).fold(1.0, f64::max);
    let tick = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].into_iter().find(|tick| largest / tick <= 8.0).unwrap_or(100.0);
    let end = (largest / tick).ceil() * tick;
    let x = |us: f64| LEFT + us.max(0.0) / end * (WIDTH - LEFT - RIGHT);

    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{0}\" viewBox=\"0 0 {WIDTH} {0}\" \
         font-family=\"Helvetica, Arial, DejaVu Sans, sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        bottom + AXIS
    );
    svg += &text(
        14.0,
        24.0,
        "start",
        "font-size=\"16\" font-weight=\"bold\"",
        "What one request costs: CPU of Envoy, microseconds (shorter is better)",
    );
    let source = format!(
        "{}, {}, {} rounds of {} requests, {}",
        results.envoy, results.machine, results.rounds, results.requests, results.started
    );
    svg += &text(14.0, 42.0, "start", "fill=\"#555555\" font-size=\"11\"", &source);
    svg += &legend();

    let ticks = (0..).map(|index| f64::from(index) * tick).take_while(|us| *us <= end);
    for us in ticks {
        let at = x(us);
        svg += &format!("<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\" stroke=\"#dddddd\"/>\n");
        svg += &text(at, bottom + 16.0, "middle", "fill=\"#555555\"", &format!("{us}"));
    }
    for (index, ((row, figures), gap)) in figures.iter().zip(gaps).enumerate() {
        let y = TOP + gap + STEP * index as f64 + (STEP - BAR) / 2.0;
        let middle = y + BAR - 4.5;
        let total = figures.cpu.median;
        let added = figures.added.median;
        let without = (total - added).min(total);
        svg += &text(LEFT - 8.0, middle, "end", "", &row.name);
        svg += &bar(x(0.0), x(without), y, "#c9ced6");
        svg += &bar(x(without), x(total), y, colour(&row.name));
        // The quartiles of what the filter adds.
        let whisker = (x(without + figures.added.lower), x(without + figures.added.upper), y + BAR / 2.0);
        svg += &format!(
            "<line x1=\"{:.1}\" y1=\"{2:.1}\" x2=\"{:.1}\" y2=\"{2:.1}\" stroke=\"#222222\" stroke-width=\"1.5\"/>\n",
            whisker.0, whisker.1, whisker.2
        );
        let label = if row.name == row.baseline { format!("{total:.1}") } else { format!("{total:.1}  ({added:+.1})") };
        svg += &text(x(total).max(whisker.1) + 6.0, middle, "start", "", &label);
    }
    svg += &text(
        (LEFT + WIDTH - RIGHT) / 2.0,
        bottom + 36.0,
        "middle",
        "fill=\"#555555\"",
        "microseconds; in brackets what the filter adds",
    );
    if !results.warnings.is_empty() {
        svg += &text(
            14.0,
            bottom + 36.0,
            "start",
            "fill=\"#b00020\" font-weight=\"bold\"",
            "doubtful: see the warnings of the run",
        );
    }
    svg + "</svg>\n"
}

/// The space above each row: a little more before every row of ours that is compared.
fn gaps<'n>(names: impl Iterator<Item = &'n str>) -> Vec<f64> {
    let mut space = 0.0;
    let mut ours_before = false;
    let gap = |name: &str| {
        let ours = name.starts_with("gatekey");
        if ours && (!ours_before || PAIRS.iter().any(|(compared, _)| *compared == name)) {
            space += GAP;
        }
        ours_before = ours;
        space
    };
    names.map(gap).collect()
}

fn colour(name: &str) -> &'static str {
    if name.starts_with("gatekey") { "#1769aa" } else { "#c25e00" }
}

fn legend() -> String {
    let entries = [
        ("#c9ced6", "the request itself"),
        ("#1769aa", "gatekey adds"),
        ("#c25e00", "Envoy's own filter adds"),
        ("#222222", "quartiles of what is added"),
    ];
    let mut svg = String::new();
    for (index, (colour, label)) in entries.iter().enumerate() {
        let x = [14.0, 150.0, 270.0, 440.0].get(index).copied().unwrap_or(LEFT);
        let (y, height) = if *colour == "#222222" { (60.0, 1.5) } else { (54.0, 11.0) };
        svg += &format!("<rect x=\"{x}\" y=\"{y}\" width=\"14\" height=\"{height}\" fill=\"{colour}\"/>\n");
        svg += &text(x + 19.0, 64.0, "start", "font-size=\"11\"", label);
    }
    svg
}

fn bar(from: f64, to: f64, y: f64, colour: &str) -> String {
    format!(
        "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\n",
        (to - from).max(0.0)
    )
}

fn text(x: f64, y: f64, anchor: &str, style: &str, text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" {style}>{escaped}</text>\n")
}
