//! Figures from measurements: medians, quartiles, differences and ratios within a round.

use crate::results::{Results, Row};

/// A median and its quartiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// A quarter of the values is below.
    pub lower: f64,
    /// Half of them is.
    pub median: f64,
    /// Three quarters are.
    pub upper: f64,
}

impl Spread {
    /// Of these values; not a number where there are none.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * sorted.len().saturating_sub(1) as f64;
            let value = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
            let (below, above) = (value(place.floor() as usize), value(place.ceil() as usize));
            below + (above - below) * place.fract()
        };
        Self { lower: at(0.25), median: at(0.5), upper: at(0.75) }
    }

    /// The distance of the quartiles.
    pub fn width(self) -> f64 {
        self.upper - self.lower
    }
}

/// The figures of one variant.
pub struct Figures {
    /// CPU per request in microseconds.
    pub cpu: Spread,
    /// What of it is above the same request without filter in the same round.
    pub added: Spread,
    /// Requests per second, as a share of those without filter in the same round.
    pub rate: Spread,
}

/// The figures of gatekey as multiples of Envoy's own filter.
pub struct Compared {
    /// The added CPU: median by median.
    pub added: f64,
    /// All CPU per request, round by round.
    pub total: Spread,
    /// Requests per second, round by round.
    pub rate: Spread,
    /// Whether the added CPU of Envoy's filter is too small to divide by.
    pub faint: bool,
}

/// Below this many microseconds a difference of two measurements is too unsure to be a divisor.
const FAINT: f64 = 3.0;

/// The figures of a row.
pub fn of(results: &Results, row: &Row) -> Option<Figures> {
    let baseline = results.row(&row.baseline)?;
    Some(Figures {
        cpu: Spread::of(&row.cpu),
        added: Spread::of(&by_round(&row.cpu, &baseline.cpu, |own, none| own - none)),
        rate: Spread::of(&by_round(&row.rate, &baseline.rate, |own, none| own / none)),
    })
}

/// Ours beside Envoy's.
pub fn compared(results: &Results, ours: &str, native: &str) -> Option<Compared> {
    let (ours, native) = (results.row(ours)?, results.row(native)?);
    let native_added = of(results, native)?.added.median;
    Some(Compared {
        added: of(results, ours)?.added.median / native_added,
        total: Spread::of(&by_round(&ours.cpu, &native.cpu, |own, other| own / other)),
        rate: Spread::of(&by_round(&ours.rate, &native.rate, |own, other| own / other)),
        faint: native_added < FAINT,
    })
}

fn by_round(own: &[f64], other: &[f64], both: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    own.iter().zip(other).map(|(own, other)| both(*own, *other)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_quartiles() {
        assert_eq!(Spread::of(&[4.0, 1.0, 3.0, 2.0, 5.0]), Spread { lower: 2.0, median: 3.0, upper: 4.0 });
        assert_eq!(Spread::of(&[1.0, 2.0]), Spread { lower: 1.25, median: 1.5, upper: 1.75 });
        assert!(Spread::of(&[]).median.is_nan());
    }
}
