//! Whether a rule is about a request, and whether it acts this time.

use super::{Api, Armed, Fault, Schedule, Scope};

/// What a rule can see of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) api: Api,
    pub(crate) path: &'a str,
    pub(crate) model: &'a str,
    pub(crate) prompt: &'a str,
}

impl Scope {
    fn covers(&self, seen: &Seen<'_>) -> bool {
        self.model
            .as_deref()
            .is_none_or(|model| model == seen.model)
            && self.api.is_none_or(|api| api == seen.api)
            && self
                .path
                .as_deref()
                .is_none_or(|path| seen.path.starts_with(path))
            && self
                .contains
                .as_deref()
                .is_none_or(|text| seen.prompt.contains(text))
    }
}

impl Armed {
    pub(super) fn strike(&mut self, seen: &Seen<'_>) -> Option<Fault> {
        if !self.fault.scope.covers(seen) {
            return None;
        }
        self.matched += 1;
        let acts = match self.fault.schedule {
            Schedule::Always => true,
            Schedule::First(count) => self.matched <= count,
            Schedule::After(count) => self.matched > count,
            Schedule::Every(step) => self.matched.is_multiple_of(step),
            Schedule::Probability { share, .. } => self.dice.f64() < share,
        };
        acts.then(|| self.fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Action, Faults};
    use super::*;

    fn hits(fault: Fault, requests: usize) -> Vec<usize> {
        let faults = Faults::default();
        faults.push(fault);
        let seen = Seen {
            api: Api::OpenAi,
            path: "/v1/chat/completions",
            model: "gpt-4",
            prompt: "about a harbour",
        };
        (1..=requests)
            .filter(|_| faults.strike(&seen).is_some())
            .collect()
    }

    #[test]
    fn schedules_count_only_matching_requests() {
        assert_eq!(hits(Fault::always(Action::Hang), 3), [1, 2, 3]);
        assert_eq!(hits(Fault::first(2, Action::Hang), 4), [1, 2]);
        let with = |schedule| Fault {
            schedule,
            ..Fault::always(Action::Hang)
        };
        assert_eq!(hits(with(Schedule::After(2)), 4), [3, 4]);
        assert_eq!(hits(with(Schedule::Every(3)), 7), [3, 6]);
        assert_eq!(
            hits(Fault::always(Action::Hang).for_model("gpt-3.5-turbo"), 3),
            [0; 0]
        );
    }

    #[test]
    fn a_seeded_share_hits_the_same_requests_again() {
        let rule = || Fault {
            schedule: Schedule::Probability {
                share: 0.3,
                seed: 7,
            },
            ..Fault::always(Action::Hang)
        };
        let first = hits(rule(), 1000);
        assert_eq!(first, hits(rule(), 1000));
        assert!((230..370).contains(&first.len()), "{} of 1000", first.len());
    }

    #[test]
    fn every_part_of_a_scope_must_match() {
        let scoped = |change: fn(&mut Scope)| {
            let mut fault = Fault::always(Action::Hang);
            change(&mut fault.scope);
            hits(fault, 1).len()
        };
        assert_eq!(scoped(|scope| scope.contains = Some("harbour".into())), 1);
        assert_eq!(scoped(|scope| scope.contains = Some("desert".into())), 0);
        assert_eq!(scoped(|scope| scope.path = Some("/v1/chat".into())), 1);
        assert_eq!(scoped(|scope| scope.path = Some("/v2".into())), 0);
        assert_eq!(scoped(|scope| scope.api = Some(Api::Anthropic)), 0);
    }

    #[test]
    fn a_rule_that_rests_lets_the_next_one_act() {
        let faults = Faults::default();
        faults.push(Fault::first(1, Action::Hang));
        faults.push(Fault::always(Action::Close));
        let seen = Seen {
            api: Api::OpenAi,
            path: "/",
            model: "m",
            prompt: "",
        };
        assert_eq!(
            faults.strike(&seen).map(|fault| fault.action),
            Some(Action::Hang)
        );
        assert_eq!(
            faults.strike(&seen).map(|fault| fault.action),
            Some(Action::Close)
        );
        faults.clear();
        assert!(faults.strike(&seen).is_none());
    }
}
