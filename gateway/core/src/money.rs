//! Amounts of money.

use std::{fmt, iter::Sum, str::FromStr};

/// An amount of US dollars, exact to a billionth.
///
/// Integers only: a budget that drifts by rounding is a budget nobody trusts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

/// Why a text is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyError {
    /// Not a plain decimal number such as `12.50`.
    NotDecimal,
    /// More decimal places than can be kept exactly.
    TooPrecise,
    /// Too large to be kept exactly.
    TooLarge,
}

impl fmt::Display for MoneyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotDecimal => "is not a plain decimal number such as \"12.50\"",
            Self::TooPrecise => "has more decimal places than can be kept exactly",
            Self::TooLarge => "is too large to be kept exactly",
        })
    }
}

impl std::error::Error for MoneyError {}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The largest bound that a budget may have: 2^52 nano-dollars, about 4.5 million dollars.
    ///
    /// Redis scripts compute in doubles, which are exact up to 2^53; the other half is room for
    /// what is held and overrun.
    pub const LARGEST_BUDGET: Self = Self(1 << 52);

    /// The amount of `nanos` nano-dollars.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The amount in nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The sum, at most the largest amount: a bound is never lowered by an overflow.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, which may be negative.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The share `permille` / 1000 of the amount, rounded up.
    #[must_use]
    pub fn permille_up(self, permille: u16) -> Self {
        let scaled = i128::from(self.0) * i128::from(permille);
        Self(i64::try_from(ceil_div(scaled, 1_000)).unwrap_or(i64::MAX))
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::plus)
    }
}

/// Dollars as decimal text, such as `0.000123` or `25.00`: never a float.
impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        parse_decimal(text, 9).map(Self)
    }
}

/// Dollars with two decimal places or as many as it takes, such as `25.00` or `0.000123`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let nanos = self.0.unsigned_abs();
        let fraction = format!("{:09}", nanos % 1_000_000_000);
        let kept = fraction.trim_end_matches('0').len().max(2);
        write!(f, "{sign}{}.{}", nanos / 1_000_000_000, &fraction[..kept])
    }
}

/// Reads decimal text as an integer count of 10^-`places`.
///
/// # Errors
/// If the text is not plain decimal, has more than `places` decimal places, or does not fit.
pub fn parse_decimal(text: &str, places: u32) -> Result<i64, MoneyError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return Err(MoneyError::NotDecimal);
    }
    if text.contains('.') && fraction.is_empty() {
        return Err(MoneyError::NotDecimal);
    }
    let fraction = fraction.trim_end_matches('0');
    let places = usize::try_from(places).expect("a handful of decimal places");
    if fraction.len() > places {
        return Err(MoneyError::TooPrecise);
    }
    format!("{whole}{fraction:0<places$}")
        .parse()
        .map_err(|_| MoneyError::TooLarge)
}

/// Division that rounds up, for a positive divisor.
pub(crate) fn ceil_div(dividend: i128, divisor: i128) -> i128 {
    let quotient = dividend / divisor;
    if dividend % divisor > 0 {
        quotient + 1
    } else {
        quotient
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimal_text_is_read_exactly() {
        assert_eq!("25.00".parse(), Ok(Money(25_000_000_000)));
        assert_eq!("0.000000001".parse(), Ok(Money(1)));
        assert_eq!("7".parse(), Ok(Money(7_000_000_000)));
        assert_eq!("1.1000000000".parse(), Ok(Money(1_100_000_000)));
    }

    #[test]
    fn what_is_not_plain_decimal_is_refused() {
        for text in [
            "", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "NaN", "１",
        ] {
            assert_eq!(text.parse::<Money>(), Err(MoneyError::NotDecimal), "{text}");
        }
        assert_eq!("0.0000000001".parse::<Money>(), Err(MoneyError::TooPrecise));
        assert_eq!("9223372037".parse::<Money>(), Err(MoneyError::TooLarge));
    }

    #[test]
    fn a_share_is_rounded_up() {
        assert_eq!(Money(1_001).permille_up(500), Money(501));
        assert_eq!(
            Money::LARGEST_BUDGET.permille_up(1_000),
            Money::LARGEST_BUDGET
        );
    }

    proptest! {
        #[test]
        fn text_and_amount_round_trip(nanos in 0..i64::MAX) {
            prop_assert_eq!(Money(nanos).to_string().parse(), Ok(Money(nanos)));
        }
    }
}
