//! An amount of US dollars, exact to a billionth.
//!
//! The gateway counts in integer nano-dollars; so does the report, and the two must agree. No
//! float comes near an amount: decimal text is parsed digit by digit, and shown the same way.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign, Sub},
};

const NANO_PER_USD: i64 = 1_000_000_000;
const NANO_DIGITS: usize = 9;

/// Nano-dollars. Sums saturate: a bound of nine billion dollars is above any run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Money(i64);

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an amount in dollars: write it as 2 or 0.25, with at most nine decimals")]
pub(crate) struct NotMoney(String);

impl Money {
    /// No money.
    pub(crate) const ZERO: Self = Self(0);

    /// This many billionths of a dollar.
    pub(crate) const fn from_nano_usd(nano_usd: i64) -> Self {
        Self(nano_usd)
    }

    /// The amount in billionths of a dollar.
    pub(crate) const fn nano_usd(self) -> i64 {
        self.0
    }

    /// The amount in billionths of a dollar for a counter, which cannot fall.
    pub(crate) fn counter_nano_usd(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }

    /// Reads dollars as decimal text, exactly.
    pub(crate) fn parse_usd(text: &str) -> Result<Self, NotMoney> {
        let refuse = || NotMoney(text.to_owned());
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let empty = whole.is_empty() && fraction.is_empty();
        if empty || !digits(whole) || !digits(fraction) || fraction.len() > NANO_DIGITS {
            return Err(refuse());
        }
        let whole: i64 = format!("0{whole}").parse().map_err(|_| refuse())?;
        let nano: i64 = format!("{fraction:0<NANO_DIGITS$}")
            .parse()
            .map_err(|_| refuse())?;
        whole
            .checked_mul(NANO_PER_USD)
            .and_then(|whole| whole.checked_add(nano))
            .map(Self)
            .ok_or_else(refuse)
    }

    /// All digits that matter, without a sign for dollars, such as `0.0375`; at least two decimals.
    pub(crate) fn usd_text(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nano = self.0.unsigned_abs();
        let unit = NANO_PER_USD.unsigned_abs();
        let fraction = format!("{:09}", nano % unit);
        let kept = fraction.trim_end_matches('0').len().max(2);
        format!("{sign}{}.{}", nano / unit, &fraction[..kept])
    }

    /// For people: whole micro-dollars, rounded up, such as `$0.004210`.
    pub(crate) fn short(self) -> String {
        let micro = self.0.unsigned_abs().div_ceil(1_000);
        let sign = if self.0 < 0 { "-" } else { "" };
        format!("{sign}${}.{:06}", micro / 1_000_000, micro % 1_000_000)
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.usd_text())
    }
}

impl std::str::FromStr for Money {
    type Err = NotMoney;
    fn from_str(text: &str) -> Result<Self, NotMoney> {
        Self::parse_usd(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_text_is_read_exactly() {
        assert_eq!(Money::parse_usd("2"), Ok(Money(2_000_000_000)));
        assert_eq!(Money::parse_usd("0.0375"), Ok(Money(37_500_000)));
        assert_eq!(Money::parse_usd(".000000001"), Ok(Money(1)));
    }

    #[test]
    fn what_is_not_an_amount_is_refused() {
        for text in [
            "",
            ".",
            "-1",
            "1e3",
            "0.0000000001",
            "1,5",
            "99999999999",
            "$2",
            "+1",
        ] {
            assert!(Money::parse_usd(text).is_err(), "{text}");
        }
    }

    #[test]
    fn text_shows_every_digit_and_short_rounds_up() {
        assert_eq!(Money(37_500_000).usd_text(), "0.0375");
        assert_eq!(Money(0).usd_text(), "0.00");
        assert_eq!(Money(1).short(), "$0.000001");
        assert_eq!(Money(1_500_000_000).to_string(), "$1.50");
    }

    proptest::proptest! {
        #[test]
        fn text_and_amount_agree(nano in 0i64..=i64::MAX) {
            proptest::prop_assert_eq!(Money::parse_usd(&Money(nano).usd_text()), Ok(Money(nano)));
        }
    }
}
