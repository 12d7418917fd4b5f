//! Figures: the median of what was measured, with the quartiles around it.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// Measured more than once.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) lower_quartile: f64,
    pub(crate) upper_quartile: f64,
    pub(crate) unit: &'static str,
    pub(crate) samples: usize,
}

impl Figure {
    /// The figure of these samples. Of none it is NaN.
    pub(crate) fn of(samples: &[f64], unit: &'static str) -> Self {
        let sorted = sorted(samples);
        Self {
            median: quantile(&sorted, 0.5),
            lower_quartile: quantile(&sorted, 0.25),
            upper_quartile: quantile(&sorted, 0.75),
            unit,
            samples: sorted.len(),
        }
    }

    /// The ratio of samples that were taken in the same rounds.
    pub(crate) fn ratio(ours: &[f64], theirs: &[f64]) -> Self {
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        Self::of(&ratios, "×")
    }

    /// One sample.
    pub(crate) fn once(value: f64, unit: &'static str) -> Self {
        Self::of(&[value], unit)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.median.abs() {
            median if median >= 100.0 => 0,
            median if median >= 10.0 => 1,
            _ => 2,
        };
        write!(f, "{:.digits$} {}", self.median, self.unit)?;
        if self.samples > 1 {
            write!(f, " ({:.digits$}–{:.digits$})", self.lower_quartile, self.upper_quartile)?;
        }
        Ok(())
    }
}

/// Sorted samples.
pub(crate) fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// The value that a share of the sorted samples does not exceed.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index into the samples")]
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = (share * count(last)).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) fn count(count: usize) -> f64 {
    count as f64
}

/// A duration in milliseconds.
pub(crate) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// How long some work takes.
#[expect(clippy::disallowed_methods, reason = "a bench measures")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = std::time::Instant::now();
    let result = work();
    (result, began.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_a_median_between_its_quartiles() {
        let figure = Figure::of(&[5.0, 1.0, 4.0, 2.0, 3.0], "ms");
        assert_eq!((figure.lower_quartile, figure.median, figure.upper_quartile), (2.0, 3.0, 4.0));
        assert_eq!(figure.to_string(), "3.00 ms (2.00–4.00)");
        assert_eq!(Figure::once(123.4, "ns").to_string(), "123 ns");
        assert!(Figure::of(&[], "").median.is_nan());
    }

    #[test]
    fn a_ratio_compares_within_a_round() {
        assert!((Figure::ratio(&[2.0, 20.0, 200.0], &[1.0, 10.0, 100.0]).median - 2.0).abs() < 1e-9);
    }
}
