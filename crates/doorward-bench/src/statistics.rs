//! What is made of many measurements: medians, and Welch's test of two samples.
//!
//! The surprise: no mean is reported anywhere. On a machine that does other things too, a mean tells of those.

/// The middle of the values, or the mean of the two in the middle; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
    if sorted.len() % 2 == 1 {
        at(middle)
    } else {
        f64::midpoint(at(middle.saturating_sub(1)), at(middle))
    }
}

/// The highest of the values; 0 of none.
pub(crate) fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

/// A count as a number to reckon with. What is counted here stays far below 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵³")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

/// [`number`] of a length.
pub(crate) fn length(count: usize) -> f64 {
    number(count as u64)
}

/// Welch's t of two samples: how many standard errors their means are apart (Welch 1947). Below 4.5 nobody calls two
/// timings different (Goodwill, Jun, Jaffe and Rohatgi 2011); 0 when a sample is too small to say.
pub(crate) fn welch(first: &[f64], second: &[f64]) -> f64 {
    let (first_mean, first_error) = mean_and_error(first);
    let (second_mean, second_error) = mean_and_error(second);
    let error = (first_error + second_error).sqrt();
    if error > 0.0 {
        (first_mean - second_mean) / error
    } else {
        0.0
    }
}

/// The mean, and its squared standard error.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let count = length(values.len());
    if values.len() < 2 {
        return (values.iter().sum::<f64>(), 0.0);
    }
    let mean = values.iter().sum::<f64>() / count;
    let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, spread / (count - 1.0) / count)
}

/// Both samples without what lies above a share (0 to 1) of all values together. Interruptions make the slowest
/// values, and hide a small difference in the others.
pub(crate) fn cropped(first: &[f64], second: &[f64], share: f64) -> (Vec<f64>, Vec<f64>) {
    let mut all: Vec<f64> = first.iter().chain(second).copied().collect();
    all.sort_unstable_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is one"
    )]
    let at = (length(all.len()) * share) as usize;
    let limit = all.get(at).copied().unwrap_or(f64::MAX);
    let below = |values: &[f64]| values.iter().copied().filter(|value| *value < limit).collect();
    (below(first), below(second))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(is: f64, wanted: f64) -> bool {
        (is - wanted).abs() < 1e-6
    }

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert!(close(median(&[3.0, 1.0, 2.0]), 2.0));
        assert!(close(median(&[4.0, 1.0, 2.0, 3.0]), 2.5));
        assert!(close(median(&[]), 0.0));
        assert!(close(highest(&[1.0, 3.0, 2.0]), 3.0));
    }

    #[test]
    fn welch_as_computed_by_hand() {
        // Means 2 and 4, variances 1 and 4, three values each: -2 / sqrt(1/3 + 4/3).
        let t = welch(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]);
        assert!(close(t, -2.0 / (5.0_f64 / 3.0).sqrt()), "{t}");
        assert!(close(welch(&[1.0], &[2.0]), 0.0));
    }

    #[test]
    fn cropping_takes_the_same_limit_for_both() {
        let (first, second) = cropped(&[1.0, 2.0, 9.0], &[3.0, 4.0], 0.8);
        assert_eq!(first.len(), 2);
        assert_eq!(second.len(), 2);
    }
}
