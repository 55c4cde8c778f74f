//! Where a value lies along an axis, and which values are written beside it.
//!
//! The surprise: an axis that goes by tens has no zero. What is not above zero lies at its start.

/// The most steps that are written on an axis by tens.
const DECADES: i32 = 12;

/// From where to where an axis goes.
pub(super) struct Axis {
    low: f64,
    high: f64,
    by_tens: bool,
}

impl Axis {
    /// One that all values fit on.
    pub(super) fn of(values: impl Iterator<Item = f64>, by_tens: bool) -> Self {
        let (mut low, mut high) = (f64::MAX, 0.0_f64);
        for value in values.filter(|value| *value > 0.0 && value.is_finite()) {
            (low, high) = (low.min(value), high.max(value));
        }
        if high <= 0.0 {
            (low, high) = (1.0, 1.0);
        }
        if by_tens {
            let high = 10_f64.powf(high.log10().ceil());
            let low = 10_f64.powf(low.log10().floor()).min(high / 10.0);
            let low = low.max(high / 10_f64.powi(DECADES));
            return Self { low, high, by_tens };
        }
        let step = step(high);
        let high = (high / step).ceil() * step;
        Self {
            low: 0.0,
            high,
            by_tens,
        }
    }

    /// Where a value lies, from 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        let value = value.max(self.low);
        let share = if self.by_tens {
            (value / self.low).log10() / (self.high / self.low).log10()
        } else {
            value / self.high
        };
        share.clamp(0.0, 1.0)
    }

    /// What is written beside it.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let mut ticks = Vec::new();
        let mut tick = self.low;
        while tick <= self.high * 1.000_001 {
            ticks.push(tick);
            tick = if self.by_tens {
                tick * 10.0
            } else {
                tick + step(self.high)
            };
        }
        ticks
    }
}

/// A round number that fits four to ten times.
fn step(high: f64) -> f64 {
    let ten = 10_f64.powf(high.log10().floor());
    match high / ten {
        0.0..2.0 => ten / 5.0,
        2.0..5.0 => ten / 2.0,
        _ => ten,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_everything() {
        let axis = Axis::of([3.0, 17.0].into_iter(), false);
        let ticks = axis.ticks();
        assert!(ticks.first().is_some_and(|first| first.abs() < 1e-9));
        assert!(ticks.last().is_some_and(|last| *last >= 17.0), "{ticks:?}");
        assert!((4..=11).contains(&ticks.len()), "{ticks:?}");
        let axis = Axis::of([0.3, 17.0].into_iter(), true);
        let logs: Vec<f64> = axis.ticks().iter().map(|tick| tick.log10().round()).collect();
        assert_eq!(logs, [-1.0, 0.0, 1.0, 2.0]);
        assert!((axis.share(1.0) - 1.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn an_axis_of_nothing_is_still_one() {
        for by_tens in [false, true] {
            let axis = Axis::of([0.0].into_iter(), by_tens);
            assert!((0.0..=1.0).contains(&axis.share(0.0)));
            assert!(!axis.ticks().is_empty());
        }
    }
}
