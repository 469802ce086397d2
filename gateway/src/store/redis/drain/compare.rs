//! Comparing what Redis says was spent with what the ledger says. Redis is asked before the outbox
//! is drained, and after.

use super::*;
use crate::ledger::drift::{Spend, drift};
use tollgate_core::{Money, account::CounterKey};

/// How often they are compared.
pub(super) const COMPARE_EVERY: Duration = Duration::from_secs(60);

impl Drain {
    /// Tells the largest difference of one counter.
    pub(super) async fn compare(&self, tenure: &mut Tenure) -> Result<(), String> {
        let before = self.spend(&tenure.seeded).await.map_err(text)?;
        self.drain_all(tenure).await?;
        let books = self.blocking(|archive| archive.books()).await?;
        let after = self.spend(&tenure.seeded).await.map_err(text)?;
        let drift = drift(&books, &before, &after);
        self.tell(&StoreEvent::Compared { drift });
        Ok(())
    }

    async fn spend(&self, teams: &BTreeSet<Arc<str>>) -> Result<Spend, Fault> {
        let mut all = Spend::new();
        for team in teams {
            let account = Keys::of(&Scope::Team(Arc::clone(team))).account();
            let fields = redis::cmd("HGETALL").arg(account).take();
            let fields: Vec<(String, Vec<u8>)> = read(self.wire.send("drain", &fields).await?)?;
            for (field, value) in fields {
                let Some(key) = counter(&field) else { continue };
                let spent = std::str::from_utf8(&value)
                    .ok()
                    .and_then(|v| v.parse().ok());
                let wrong = || Fault::Wrong(format!("the spend in {field} of team {team}"));
                let spent = spent.ok_or_else(wrong)?;
                all.insert((Arc::clone(team), key), Money::from_nanos(spent));
            }
        }
        Ok(all)
    }
}

/// The counter whose spend a field of an account has.
fn counter(field: &str) -> Option<CounterKey> {
    let (budget, window) = field.strip_prefix("s:")?.split_once(':')?;
    Some(CounterKey {
        budget: budget.into(),
        window: window.into(),
    })
}
