//! How counts are put in words: whole beside a chart, short at its axis.

/// Returns `12,345`.
pub(in crate::dashboard) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).expect("digits are ASCII"))
        .collect();
    groups.join(",")
}

/// Returns `0.5`, `40`, `1.2k` or `3M`.
pub(in crate::dashboard) fn short(n: f64) -> String {
    let (n, unit) = match n {
        ..1e3 => (n, ""),
        ..1e6 => (n / 1e3, "k"),
        _ => (n / 1e6, "M"),
    };
    let digits = format!("{n:.1}");
    format!("{}{unit}", digits.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_or_short() {
        assert_eq!([0, 999, 1_000, 12_345_678].map(grouped), ["0", "999", "1,000", "12,345,678"]);
        assert_eq!(
            [0.5, 2.0, 40.0, 400.0, 1_200.0, 6e5, 2e6].map(short),
            ["0.5", "2", "40", "400", "1.2k", "600k", "2M"]
        );
    }
}
