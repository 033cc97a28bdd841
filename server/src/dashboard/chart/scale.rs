//! What a height in a chart stands for: from nothing up to a round number.

use super::HEIGHT;

/// From nothing to a round number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::dashboard) struct Scale {
    pub(in crate::dashboard) top: f64,
}

impl Scale {
    /// Returns the scale that reaches up to the first 1, 2, 4 or 6 of some power of ten that is not below `most`.
    pub(in crate::dashboard) fn upto(most: f64) -> Self {
        let mut power = 0.1;
        // Up to more requests or milliseconds than there are.
        for _ in 0..20 {
            for step in [1.0, 2.0, 4.0, 6.0] {
                if step * power >= most {
                    return Self { top: step * power };
                }
            }
            power *= 10.0;
        }
        Self { top: most }
    }

    /// Returns the scale of counts, whose middle is a whole number, too.
    pub(in crate::dashboard) fn of_counts(counts: &[u64]) -> Self {
        Self::upto(float(counts.iter().max().copied().unwrap_or_default()).max(2.0))
    }

    /// Returns how far below the upper edge a value lies.
    pub(super) fn y(self, value: f64) -> f64 {
        HEIGHT - HEIGHT * (value / self.top).clamp(0.0, 1.0)
    }
}

/// Returns a count as a length.
#[expect(clippy::cast_precision_loss, reason = "a length on a screen")]
pub(in crate::dashboard) fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_upper_edge_is_a_round_number() {
        for (most, top) in [(3.0, 4.0), (2.0, 2.0), (61.0, 100.0), (340.0, 400.0), (0.5, 0.6)] {
            assert!((Scale::upto(most).top - top).abs() < 1e-9, "{most}: {:?}", Scale::upto(most));
        }
        assert_eq!(Scale::of_counts(&[]).top, 2.0);
    }

    proptest! {
        #[test]
        fn every_value_fits_and_uses_at_least_two_fifths_of_the_height(most in 0.2_f64..1e12) {
            let scale = Scale::upto(most);
            prop_assert!(scale.top >= most && scale.top <= most * 2.5, "{scale:?}");
            prop_assert!((0.0..=60.1).contains(&scale.y(most)));
        }
    }
}
