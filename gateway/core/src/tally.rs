//! Sums of usage by day, pipeline, step and model, and by run: what `QueryUsage` reads.

use crate::{Money, Usage};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

/// The most rows that one team and day may have. What is beyond is summed under `other`.
pub const MOST_ROWS: usize = 2_000;

/// How many days are kept.
pub const KEPT_DAYS: usize = 32;

/// The name under which the rest is summed.
pub const OTHER: &str = "other";

/// What usage is summed by.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageKey {
    /// The pipeline.
    pub pipeline: Arc<str>,
    /// The run.
    pub run: Arc<str>,
    /// The step.
    pub step: Arc<str>,
    /// The model.
    pub model: Arc<str>,
}

/// A sum of usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageSum {
    /// Settled calls.
    pub calls: u64,
    /// Their tokens.
    pub usage: Usage,
    /// Their cost. A correction may lower it.
    pub cost: Money,
}

impl UsageSum {
    /// Adds another sum.
    pub fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.usage += other.usage;
        self.cost = self.cost.plus(other.cost);
    }
}

/// The usage of one team over the last days.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    days: VecDeque<(Arc<str>, BTreeMap<UsageKey, UsageSum>)>,
}

impl Tally {
    /// Adds `sum` to a day. Days come in order; a late one goes to its own day while it is kept.
    pub fn add(&mut self, day: &Arc<str>, key: UsageKey, sum: &UsageSum) {
        let rows = self.day(day);
        let key = if rows.len() >= MOST_ROWS && !rows.contains_key(&key) {
            UsageKey {
                pipeline: OTHER.into(),
                run: OTHER.into(),
                step: OTHER.into(),
                model: key.model,
            }
        } else {
            key
        };
        rows.entry(key).or_default().add(sum);
    }

    /// The rows of the days from `first` to `last`, both included.
    pub fn rows<'a>(
        &'a self,
        first: &'a str,
        last: &'a str,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a UsageKey, &'a UsageSum)> {
        self.days
            .iter()
            .filter(move |(day, _)| first <= &**day && &**day <= last)
            .flat_map(|(day, rows)| rows.iter().map(move |(key, sum)| (day, key, sum)))
    }

    fn day(&mut self, day: &Arc<str>) -> &mut BTreeMap<UsageKey, UsageSum> {
        let place = self.days.partition_point(|(known, _)| known < day);
        if self.days.get(place).is_none_or(|(known, _)| known != day) {
            self.days.insert(place, (Arc::clone(day), BTreeMap::new()));
        }
        if self.days.len() > KEPT_DAYS && place > 0 {
            self.days.pop_front();
            return &mut self.days[place - 1].1;
        }
        &mut self.days[place].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(run: &str) -> UsageKey {
        UsageKey {
            run: run.into(),
            ..UsageKey::default()
        }
    }

    fn one() -> UsageSum {
        UsageSum {
            calls: 1,
            cost: Money::from_nanos(5),
            ..UsageSum::default()
        }
    }

    #[test]
    fn rows_are_capped_and_nothing_is_lost() {
        let mut tally = Tally::default();
        let day = "2026-11-24".into();
        for number in 0..MOST_ROWS + 10 {
            tally.add(&day, key(&number.to_string()), &one());
        }
        let rows: Vec<_> = tally.rows(&day, &day).collect();
        assert_eq!(rows.len(), MOST_ROWS + 1);
        let calls: u64 = rows.iter().map(|(_, _, sum)| sum.calls).sum();
        assert_eq!(calls, u64::try_from(MOST_ROWS + 10).expect("small"));
    }

    #[test]
    fn only_the_last_days_are_kept() {
        let mut tally = Tally::default();
        for day in 0..40 {
            tally.add(&format!("day-{day:02}").into(), key("r"), &one());
        }
        let days: Vec<_> = tally
            .rows("day-00", "day-99")
            .map(|(day, _, _)| day.clone())
            .collect();
        assert_eq!(days.len(), KEPT_DAYS);
        assert_eq!(&*days[0], "day-08");
    }
}
