//! A small picture of how much there was of something, for a row of a list.

use std::fmt::Write as _;

use super::float;

/// The height of the picture in units of its path; each value is one unit wide.
const HEIGHT: f64 = 20.0;

/// A picture of values, and what it shows in words.
pub(in crate::dashboard) struct Spark {
    /// How many units it is wide.
    pub(in crate::dashboard) width: usize,
    /// An area below the values.
    pub(in crate::dashboard) area: String,
    pub(in crate::dashboard) title: String,
}

impl Spark {
    /// Returns the picture of values, the largest as high as it gets but not below `full`.
    pub(in crate::dashboard) fn of(values: &[f64], full: f64, title: String) -> Self {
        let most = values.iter().copied().fold(full, f64::max).max(f64::MIN_POSITIVE);
        let mut area = format!("M0 {HEIGHT}");
        for value in values {
            // What is more than nothing can be seen.
            let least = if *value > 0.0 { 1.0 } else { 0.0 };
            let y = HEIGHT - (HEIGHT * (value / most).clamp(0.0, 1.0)).max(least);
            let _ = write!(area, "V{y:.0}h1");
        }
        let _ = write!(area, "V{HEIGHT}z");
        Self { width: values.len(), area, title }
    }

    /// Returns the picture of counts.
    pub(in crate::dashboard) fn of_counts(counts: &[u64], title: String) -> Self {
        let values: Vec<f64> = counts.iter().map(|count| float(*count)).collect();
        Self::of(&values, 1.0, title)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_steps_from_value_to_value_and_closes_at_the_ground() {
        let spark = Spark::of_counts(&[0, 4, 1_000_000], String::new());
        assert_eq!(spark.area, "M0 20V20h1V19h1V0h1V20z");
        assert_eq!(spark.width, 3);
        assert_eq!(Spark::of(&[1.0], 4.0, String::new()).area, "M0 20V15h1V20z");
    }
}
