//! Holds: what admission takes, and how it ends.

use crate::{Money, Timestamp};
use std::{fmt, str::FromStr, sync::Arc};

/// The id of a hold: a time and randomness, so that ids sort by age and never collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId(u128);

/// Crockford's base 32: no letters that look like digits.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl HoldId {
    /// An id from the time and 80 random bits (the layout of a ULID).
    #[must_use]
    pub fn new(now: Timestamp, random: u128) -> Self {
        let millis = u128::try_from(now.millis().max(0)).expect("not negative");
        Self((millis << 80) | (random & ((1 << 80) - 1)))
    }

    /// Its bytes, which need no alignment: for tables with very many ids.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The id of attempt `number` of this call at a deployment.
    ///
    /// The low byte counts attempts, so a call's id ends in zero and 255 attempts fit.
    #[must_use]
    pub const fn attempt(self, number: u8) -> Self {
        Self((self.0 & !0xff) | number as u128)
    }

    /// The id of a call: its attempts' ids differ in the low byte only.
    #[must_use]
    pub const fn call(self) -> Self {
        Self(self.0 & !0xff)
    }

    /// When the id was minted.
    #[must_use]
    pub fn minted_at(self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.0 >> 80).expect("48 bits"))
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 26];
        let mut rest = self.0;
        for place in text.iter_mut().rev() {
            *place = DIGITS[usize::try_from(rest & 31).expect("five bits")];
            rest >>= 5;
        }
        f.write_str(str::from_utf8(&text).expect("digits are ASCII"))
    }
}

/// A text that is not the id of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not the id of a hold: 26 digits of Crockford's base 32")
    }
}

impl std::error::Error for NotAnId {}

impl FromStr for HoldId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        if text.len() != 26 {
            return Err(NotAnId);
        }
        let mut id: u128 = 0;
        for byte in text.bytes() {
            let digit = DIGITS.iter().position(|d| *d == byte).ok_or(NotAnId)?;
            let digit = u128::try_from(digit).expect("below 32");
            id = id
                .checked_mul(32)
                .and_then(|id| id.checked_add(digit))
                .ok_or(NotAnId)?;
        }
        Ok(Self(id))
    }
}

/// What a call takes from rate limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Calls (a team) or attempts (a deployment).
    pub requests: u64,
    /// Input tokens.
    pub input_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
}

/// A run's own budget, set by its first call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunTake {
    /// The run.
    pub run: Arc<str>,
    /// Its bound.
    pub limit: Money,
}

/// What one admission asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldRequest {
    /// Who holds. Asking twice with one id takes once.
    pub id: HoldId,
    /// What it takes from rate limits.
    pub need: Need,
    /// What it takes from budgets: the dearest that can happen.
    pub amount: Money,
    /// For how long it stands without being renewed.
    pub lease_ms: u64,
    /// How long the caller will wait if only rates refuse; `None`: not at all.
    pub max_wait_ms: Option<u64>,
    /// The share of each bucket that is kept for more important callers, in thousandths.
    pub floor_permille: u16,
    /// The run's budget, if it has one.
    pub run: Option<RunTake>,
    /// Take it whatever the balances say: the hold was granted before and the store forgot it.
    pub force: bool,
}

/// How a hold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The call is over, and this is what it really used and cost.
    Settled {
        /// What it used of rate limits. `requests` is not looked at: a call is a call.
        used: Need,
        /// What it cost.
        cost: Money,
    },
    /// Nothing was dispatched: give everything back.
    Cancelled,
    /// The lease ran out: charge all that was held, for nobody knows what happened.
    Expired,
}

/// The state of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not ended.
    Open,
    /// Ended by settlement (or corrected after expiry).
    Settled,
    /// Ended without a charge.
    Cancelled,
    /// Ended by its lease, charged in full.
    Expired,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn attempts_of_a_call_have_ids_of_their_own() {
        let call = HoldId::new(Timestamp::from_millis(1_700_000_000_000), 12_345_678).call();
        assert_ne!(call.attempt(1), call.attempt(2));
        assert_eq!(call.attempt(7).call(), call);
        assert_eq!(call.minted_at().millis(), 1_700_000_000_000);
    }

    #[test]
    fn ids_sort_by_age() {
        let old = HoldId::new(Timestamp::from_millis(1_000), u128::MAX);
        let new = HoldId::new(Timestamp::from_millis(1_001), 0);
        assert!(old < new && old.to_string() < new.to_string());
    }

    proptest! {
        #[test]
        fn text_and_id_round_trip(bits: u128) {
            prop_assert_eq!(HoldId(bits).to_string().parse(), Ok(HoldId(bits)));
        }

        #[test]
        fn no_text_panics(text in ".{0,30}") {
            let _ = text.parse::<HoldId>();
        }
    }
}
