//! Top-ups: the account adds, and who asks remembers.

use super::*;
use crate::store::{TopUp, ToppedUp};

impl Pair<'_> {
    pub(super) fn top_up(&mut self, request: u8, month: bool, amount: i64) -> Result<(), String> {
        let limits = Arc::clone(self.limits());
        let budget: Arc<str> = if month { "month" } else { "day" }.into();
        let top_up = TopUp {
            budget: Arc::clone(&budget),
            amount: Money::from_nanos(amount),
            request: request.to_string().into(),
        };
        let redis = self.ask(self.world.accounts.top_up(&limits, &top_up))?;
        let spec = limits.budgets.iter().find(|spec| spec.name == budget);
        let spec = spec.expect("all configurations have both");
        let model = match self.topped_up.get(&request) {
            None => {
                self.model.top_up(spec, top_up.amount, self.now);
                self.topped_up.insert(request, (budget, top_up.amount));
                self.note("topped_up");
                ToppedUp::Done
            }
            Some((known, added)) if (known, *added) == (&budget, top_up.amount) => {
                self.note("topped_up_before");
                ToppedUp::Done
            }
            Some((_, added)) => {
                self.note("top_up_reused");
                ToppedUp::Reused(*added)
            }
        };
        same(&model, &redis)?;
        self.balances()
    }
}
