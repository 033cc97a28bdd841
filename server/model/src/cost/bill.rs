//! A bill: what is paid for, how many of it, and what that is a month.

use serde::Serialize;

use super::Money;

/// One line of a bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What is paid for, such as `load balancer`.
    pub what: String,
    /// How many of it.
    pub count: u64,
    /// What one costs a month.
    pub each_per_month: Money,
}

impl Line {
    /// Returns what the line comes to a month.
    #[must_use]
    pub fn per_month(&self) -> Money {
        self.each_per_month.times(self.count)
    }
}

/// What is paid a month.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bill {
    /// The lines, in the order they were added.
    pub lines: Vec<Line>,
}

impl Bill {
    /// Adds what is paid by the hour.
    pub fn hourly(&mut self, what: impl Into<String>, count: u64, an_hour: Money) {
        self.monthly(what, count, an_hour.hourly_per_month());
    }

    /// Adds what is paid by the month.
    pub fn monthly(&mut self, what: impl Into<String>, count: u64, a_month: Money) {
        if count > 0 {
            self.lines.push(Line { what: what.into(), count, each_per_month: a_month });
        }
    }

    /// Returns what it comes to a month.
    #[must_use]
    pub fn per_month(&self) -> Money {
        self.lines.iter().map(Line::per_month).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_is_the_sum_of_its_lines_and_nothing_of_something_is_no_line() {
        let mut bill = Bill::default();
        bill.hourly("load balancer", 1, Money::from_dollars(0.0225).unwrap());
        bill.hourly("NAT gateway", 0, Money::from_dollars(0.045).unwrap());
        bill.monthly("gigabyte of volume", 20, Money::from_dollars(0.08).unwrap());
        assert_eq!(bill.lines.len(), 2);
        assert_eq!(bill.per_month().to_string(), "$18.03");
    }
}
