//! Whole decisions: what is repeated, put back and remembered around one script.

use super::*;

/// The most holds that one sweep ends.
const SWEEP_MOST: usize = 100;

impl Shared {
    pub(super) async fn hold(
        &self,
        limits: &Arc<Limits>,
        request: &HoldRequest,
    ) -> Result<HoldReply, Fault> {
        let reply = self
            .once_seeded(&limits.scope, || self.accounts.hold(limits, request))
            .await;
        self.heard(limits, request, reply).await
    }

    /// What a reply to a hold means here.
    pub(super) async fn heard(
        &self,
        limits: &Arc<Limits>,
        request: &HoldRequest,
        reply: Result<HoldReply, Fault>,
    ) -> Result<HoldReply, Fault> {
        match reply {
            Ok(HoldReply::Held(held)) => {
                self.note_granted(limits, request, held.now);
                Ok(HoldReply::Held(held))
            }
            // Its id is ours and new here, so it was granted to an earlier try of this call.
            Ok(HoldReply::Duplicate(State::Open)) if !self.roll.is_open(request.id) => {
                self.granted_before(limits, request).await
            }
            Err(fault) => {
                if fault.is_unknown() {
                    // A tombstone keeps it out if it arrives late, and ends it if it arrived.
                    self.cancel_later(limits, request.id);
                }
                Err(fault)
            }
            other => other,
        }
    }

    /// Asks again while the balances of the team are rebuilt, for a bounded time.
    pub(super) async fn once_seeded<T, F>(
        &self,
        scope: &Scope,
        ask: impl Fn() -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let until = Instant::now() + self.rebuild_wait;
        loop {
            match ask().await {
                Err(Fault::Unseeded) if Instant::now() < until => {
                    self.ask_for_balances(scope).await;
                    tokio::time::sleep(REBUILD_POLL).await;
                }
                other => return other,
            }
        }
    }

    pub(super) async fn balances(
        &self,
        limits: &Arc<Limits>,
        run: Option<&Arc<str>>,
    ) -> Result<reply::Balances, Fault> {
        self.once_seeded(&limits.scope, || self.accounts.balances(limits, run))
            .await
    }

    async fn granted_before(
        &self,
        limits: &Arc<Limits>,
        request: &HoldRequest,
    ) -> Result<HoldReply, Fault> {
        let run = request.run.as_ref().map(|run| &run.run);
        let (mut budgets, its) = self.accounts.balances(limits, run).await?;
        budgets.extend(its);
        let now = self.accounts.clock.now();
        self.note_granted(limits, request, now);
        Ok(HoldReply::Held(Held {
            now,
            budgets,
            remaining: vec![0; limits.buckets.len()],
        }))
    }

    fn note_granted(&self, limits: &Arc<Limits>, request: &HoldRequest, at: Timestamp) {
        self.roll.granted(Granted {
            limits: Arc::clone(limits),
            request: request.clone(),
            at,
        });
    }

    fn cancel_later(&self, limits: &Arc<Limits>, id: HoldId) {
        let settlement = Settlement {
            limits: Arc::clone(limits),
            id,
            ending: Ending::Cancelled,
            record: None,
        };
        self.end_later(Waiting {
            settlement,
            first: Instant::now(),
            granted: None,
            told: None,
        });
    }

    /// Asks whoever drains the ledger to rebuild a team's balances.
    pub(super) async fn ask_for_balances(&self, scope: &Scope) {
        let mut ask = redis::cmd("SADD");
        ask.arg(keys::UNSEEDED).arg(&**scope.name());
        let asked = self.accounts.wire.send("drain", &ask).await;
        if matches!(asked, Ok(redis::Value::Int(1))) {
            let team = Arc::clone(scope.name());
            self.observer.happened(&StoreEvent::Unseeded { team });
        }
    }

    /// Ends a hold that waits for it.
    pub(super) async fn end(&self, waiting: &Waiting) -> Result<SettleReply, Fault> {
        let Waiting {
            settlement,
            first,
            granted,
            ..
        } = waiting;
        let remembered = Duration::from_millis(self.accounts.memory.ended_ms);
        let granted = granted.as_ref().filter(|_| first.elapsed() < remembered);
        let reply = self.end_with(&self.accounts, settlement, granted).await;
        match &reply {
            Ok(SettleReply::Alive) => {}
            Ok(_) => self.roll.ended(settlement),
            Err(Fault::Unseeded) => self.ask_for_balances(&settlement.limits.scope).await,
            Err(_) => {}
        }
        reply
    }

    /// Ends a hold, putting it back first if Redis has lost it.
    pub(super) async fn end_with(
        &self,
        accounts: &Accounts,
        settlement: &Settlement,
        granted: Option<&Granted>,
    ) -> Result<SettleReply, Fault> {
        let Settlement {
            limits,
            id,
            ending,
            record,
        } = settlement;
        let end = || accounts.end(limits, *id, ending, record.as_ref());
        let reply = end().await?;
        let (SettleReply::Unknown, Ending::Settled { .. }, Some(granted)) =
            (&reply, ending, granted)
        else {
            return Ok(reply);
        };
        accounts
            .reassert(&granted.limits, &granted.request, granted.at)
            .await?;
        end().await
    }

    /// Ends a hold. An ending that fails is repeated until it lands, and only then answered.
    pub(super) async fn settle(&self, settlement: Settlement) -> Result<SettleReply, Fault> {
        let waiting = Waiting {
            granted: self.roll.find(settlement.id),
            settlement,
            first: Instant::now(),
            told: None,
        };
        match self.end(&waiting).await {
            Err(fault) if fault.is_passing() => {
                let (tell, told) = oneshot::channel();
                self.end_later(Waiting {
                    told: Some(tell),
                    ..waiting
                });
                // Nobody tells of one that was given up.
                told.await.map_err(|_| fault)
            }
            other => other,
        }
    }

    pub(super) async fn renew(
        &self,
        scope: &Scope,
        ids: &[HoldId],
        lease_ms: u64,
    ) -> Result<Vec<HoldId>, Fault> {
        let gone = self.accounts.renew(scope, ids, lease_ms).await?;
        self.roll.renewed(ids);
        let mut ended = Vec::new();
        for id in gone {
            // Redis may have lost it, and its call still runs.
            let Some(granted) = self.roll.find(id).filter(|_| self.roll.is_open(id)) else {
                ended.push(id);
                continue;
            };
            let Granted {
                limits,
                request,
                at,
            } = granted;
            let reply = self.accounts.reassert(&limits, &request, at).await;
            if !matches!(reply, Ok(HoldReply::Held(_))) {
                ended.push(id);
            }
        }
        Ok(ended)
    }

    pub(super) async fn sweep(&self, limits: &Arc<Limits>) -> Result<Vec<Swept>, Fault> {
        let due = self.accounts.due(&limits.scope, SWEEP_MOST).await?;
        let ends = due
            .iter()
            .map(|id| self.accounts.end(limits, *id, &Ending::Expired, None));
        let replies = join_all(ends).await;
        let mut swept = Vec::new();
        for (id, reply) in due.iter().zip(replies) {
            // What failed is found again by the next sweep, here or on another replica.
            if let Ok(SettleReply::Applied(applied)) = reply {
                swept.push(Swept { id: *id, applied });
            }
        }
        Ok(swept)
    }

    pub(super) async fn usage(
        &self,
        team: &Scope,
        first: &str,
        last: &str,
    ) -> Result<Vec<UsageRow>, Fault> {
        const DAY_MS: i64 = 24 * 3_600_000;
        let today = self.accounts.clock.now().millis() / DAY_MS;
        let kept = i64::try_from(KEPT_DAYS).expect("a month");
        // One day more on both ends, for clocks that differ.
        let days = today - kept..=today + 1;
        let named = days.map(|day| {
            let name = utc(Timestamp::from_millis(day * DAY_MS)).format("%Y-%m-%d");
            (day, Arc::<str>::from(name.to_string()))
        });
        let wanted: Vec<_> = named
            .filter(|(_, name)| first <= &**name && &**name <= last)
            .collect();
        let prefix = Keys::of(team).usage();
        let reads = wanted.iter().map(|(day, _)| {
            let key = format!("{prefix}{day}");
            let wire = &self.accounts.wire;
            async move { wire.send("usage", redis::cmd("HGETALL").arg(key)).await }
        });
        let mut rows = Vec::new();
        for ((_, day), value) in wanted.iter().zip(join_all(reads).await) {
            let pairs: Vec<(Vec<u8>, Vec<u8>)> = redis::FromRedisValue::from_redis_value(value?)
                .map_err(|error| Fault::Wrong(error.to_string()))?;
            let mut of_day = Vec::new();
            for (field, value) in pairs {
                of_day.extend(reply::row(&field, &value)?);
            }
            of_day.sort_by(|(a, _), (b, _)| a.cmp(b));
            rows.extend(of_day.into_iter().map(|(key, sum)| UsageRow {
                day: Arc::clone(day),
                key,
                sum,
            }));
        }
        Ok(rows)
    }
}
