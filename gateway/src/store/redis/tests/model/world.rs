//! An account in memory and the same in Redis, under one clock that only steps move.

use super::steps::{Ask, Step};
use crate::{
    store::redis::{
        accounts::Accounts,
        fault::Fault,
        keys::Keys,
        link::Link,
        pack::Unpacker,
        reply,
        script::Scripts,
        tests::{Server, settings},
        wire::Wire,
    },
    testing::ManualClock,
};
pub(in crate::store::redis::tests) use config::{Days, Seen};
use config::{id, limits, request, run, same};
use redis::{FromRedisValue as _, Value};
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt::Debug,
    sync::Arc,
    time::Duration,
};
use tollgate_core::{
    HoldId, Money, Timestamp,
    account::{Account, CounterKey, HoldReply, Memory, RUN, Refusal, SettleReply},
    budget::{BudgetSpec, Calendar, Mark, Window},
    hold::{Ending, HoldRequest, Need, RunTake},
    limit::{BucketSpec, GaugeSpec, Limits, Scope, Unit},
};

const START: i64 = 1_700_000_000_000;
const DAY_MS: i64 = 10_000_000;
const MEMORY: Memory = Memory {
    ended_ms: 60_000,
    expired_ms: 600_000,
};
/// How far time passes in one history. Later windows are dropped, at slightly different times.
const MOST_PASSED_MS: u64 = 2 * 24 * 3_600_000;
/// The key that scripts read the time from.
const FAKE_NOW: &str = "fake:now";
/// How often all balances are compared, in steps.
const LOOK_EVERY: usize = 7;

/// A Redis whose scripts read the time from a key.
pub(in crate::store::redis::tests) struct World {
    runtime: tokio::runtime::Runtime,
    accounts: Accounts,
    clock: Arc<ManualClock>,
    skew: RefCell<i64>,
    seen: RefCell<Seen>,
    number: RefCell<u64>,
}

impl World {
    /// With scripts that a patch has changed.
    pub(in crate::store::redis::tests) fn new(
        server: &Server,
        patch: &dyn Fn(&str) -> String,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let fake = format!(
            "(function() local m = tonumber(call('GET', '{FAKE_NOW}')) \
             return {{math.floor(m / 1000), (m % 1000) * 1000}} end)()"
        );
        let scripts = Scripts::default().patched(&|body| {
            assert_eq!(body.matches("call('TIME')").count(), 1, "asked once");
            patch(body).replace("call('TIME')", &fake)
        });
        let link = runtime.block_on(Link::new(&settings(&server.url()), None));
        let wire = Wire {
            link: Arc::new(link.expect("Redis runs")),
            gate: None,
            observer: Arc::new(crate::telemetry::Observer::default()),
            timeout: Duration::from_secs(5),
        };
        let clock = Arc::new(ManualClock::at(START));
        let accounts = Accounts::new(wire, Arc::new(scripts), Arc::clone(&clock) as _, MEMORY);
        Self {
            runtime,
            accounts,
            clock,
            skew: RefCell::new(0),
            seen: RefCell::default(),
            number: RefCell::new(fastrand::u64(..) >> 8),
        }
    }

    /// What a test asks past the histories.
    pub(in crate::store::redis::tests) fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Waits for an answer.
    pub(in crate::store::redis::tests) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        self.runtime.block_on(answer)
    }

    /// Sets the time of the scripts and of the gateway.
    pub(in crate::store::redis::tests) fn set_time(&self, millis: i64) {
        self.command(redis::cmd("SET").arg(FAKE_NOW).arg(millis));
        let shown = crate::clock::Clock::now(&*self.clock).millis();
        self.clock.step(millis - shown);
    }

    pub(in crate::store::redis::tests) fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Runs a history. Says where the two differ.
    pub(in crate::store::redis::tests) fn run(&self, steps: &[Step]) -> Result<(), String> {
        *self.number.borrow_mut() += 1;
        let team = format!("team-{}", self.number.borrow());
        let keys = Keys::of(&Scope::Team(team.as_str().into()));
        self.command(redis::cmd("HSET").arg(keys.account()).arg("ep").arg("1"));
        let mut pair = Pair {
            world: self,
            configs: (0..3).map(|which| Arc::new(limits(&team, which))).collect(),
            config: 0,
            model: Account::default(),
            now: Timestamp::from_millis(START),
            refused: None,
            topped_up: HashMap::new(),
            edge: Timestamp::from_millis(START),
            keys,
        };
        pair.set_time();
        for (place, step) in steps.iter().enumerate() {
            pair.step(step)
                .and_then(|()| match place % LOOK_EVERY {
                    0 => pair.look(),
                    _ => Ok(()),
                })
                .map_err(|why| format!("step {place}, {step:?}: {why}"))?;
        }
        pair.finish().map_err(|why| format!("in the end: {why}"))
    }

    pub(in crate::store::redis::tests) fn command(&self, command: &redis::Cmd) -> Value {
        let value = self
            .runtime
            .block_on(self.accounts.wire.send("test", command));
        value.expect("Redis runs")
    }
}

struct Pair<'w> {
    world: &'w World,
    configs: Vec<Arc<Limits>>,
    config: usize,
    model: Account,
    now: Timestamp,
    /// Who was refused last by rates alone, and how long it was told to wait.
    refused: Option<(HoldRequest, u64)>,
    /// What requests have added.
    topped_up: HashMap<u8, (Arc<str>, Money)>,
    /// When the last lease or cooldown ends.
    edge: Timestamp,
    keys: Keys,
}

impl Pair<'_> {
    fn limits(&self) -> &Arc<Limits> {
        &self.configs[self.config]
    }

    fn ask<T>(&self, answer: impl Future<Output = Result<T, Fault>>) -> Result<T, String> {
        let answer = self.world.runtime.block_on(answer);
        answer.map_err(|fault| fault.to_string())
    }

    fn set_time(&self) {
        self.world.set_time(self.now.millis());
        self.world.clock.step(*self.world.skew.borrow());
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        let accounts = &self.world.accounts;
        let limits = Arc::clone(self.limits());
        match step {
            Step::Hold(ask) => self.hold(&request(ask))?,
            Step::Probe(ask) => {
                let request = request(ask);
                let redis = self.ask(accounts.probe(&limits, &request))?;
                same(&self.model.probe(&limits, &request, self.now), &redis)?;
            }
            Step::Settle {
                number,
                input,
                output,
                cost,
            } => {
                let used = Need {
                    // Not looked at: a call is a call.
                    requests: 3,
                    input_tokens: *input,
                    output_tokens: *output,
                };
                let cost = Money::from_nanos(*cost);
                self.end(*number, Ending::Settled { used, cost })?;
            }
            Step::Cancel { number } => self.end(*number, Ending::Cancelled)?,
            Step::Expire { number } => self.end(*number, Ending::Expired)?,
            Step::Extend { number, extra } => {
                let extra = Money::from_nanos(*extra);
                let redis = self.ask(accounts.extend(&limits, id(*number), extra))?;
                let model = self.model.extend(&limits, id(*number), extra, self.now);
                self.note(if model { "extended" } else { "not_extended" });
                same(&model, &redis)?;
            }
            Step::Renew {
                first,
                many,
                lease_ms,
            } => {
                let ids: Vec<_> = (*first..first + many).map(id).collect();
                let redis = self.ask(accounts.renew(&limits.scope, &ids, *lease_ms))?;
                same(&self.model.renew(&ids, *lease_ms, self.now), &redis)?;
            }
            Step::Sweep => self.sweep()?,
            Step::AskAgain { .. }
            | Step::ToEdge
            | Step::Pass { .. }
            | Step::BackInTime { .. }
            | Step::Skew { .. } => self.step_in_time(step)?,
            Step::Observe { tokens, remaining } => {
                let unit = if *tokens {
                    Unit::Tokens
                } else {
                    Unit::Requests
                };
                self.ask(accounts.observe(&limits, unit, *remaining))?;
                self.model.observe(&limits, unit, *remaining, self.now);
            }
            Step::CoolDown { ms } => {
                self.ask(accounts.cool_down(&limits.scope, *ms))?;
                self.model.cool_down(*ms, self.now);
                self.edge = self.now + *ms;
            }
            Step::Configure { which } => self.config = usize::from(*which),
            Step::Balances => self.balances()?,
            Step::TopUp(request, month, amount) => self.top_up(*request, *month, *amount)?,
        }
        Ok(())
    }

    fn step_in_time(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::AskAgain { waited } => {
                if let Some((mut request, hint)) = self.refused.take() {
                    if *waited {
                        self.pass(hint);
                    }
                    request.max_wait_ms = Some(hint);
                    self.hold(&request)?;
                }
            }
            Step::ToEdge => self.pass(self.edge.since(self.now)),
            Step::Pass { ms } => self.pass(*ms),
            Step::BackInTime { ms } => {
                self.now = self.now - *ms;
                self.set_time();
            }
            Step::Skew { ms } => {
                *self.world.skew.borrow_mut() = *ms;
                self.set_time();
            }
            other => unreachable!("{other:?} has no time"),
        }
        Ok(())
    }

    fn pass(&mut self, ms: u64) {
        let last = Timestamp::from_millis(START) + MOST_PASSED_MS;
        self.now = (self.now + ms).min(last);
        self.set_time();
        self.forget();
    }

    fn note(&self, kind: &'static str) {
        self.world.seen.borrow_mut().note(kind);
    }

    fn hold(&mut self, request: &HoldRequest) -> Result<(), String> {
        let limits = Arc::clone(self.limits());
        let before = self.account();
        let redis = self.ask(self.world.accounts.hold(&limits, request))?;
        let model = self.model.hold(&limits, request, self.now);
        match &model {
            HoldReply::Held(_) => {
                self.note("held");
                self.edge = self.now + request.lease_ms;
            }
            HoldReply::Duplicate(_) => self.note("duplicate"),
            HoldReply::RunBudgetConflict { .. } => self.note("conflict"),
            HoldReply::Refused(refused) => {
                self.note("refused");
                let waits = refused.refusals.iter().map(|refusal| match refusal {
                    Refusal::Rate { wait_ms, .. } => Some(*wait_ms),
                    _ => None,
                });
                let longest = waits
                    .collect::<Option<Vec<u64>>>()
                    .and_then(|w| w.into_iter().max());
                if let Some(longest) = longest {
                    self.refused = Some((request.clone(), longest));
                }
                for refusal in &refused.refusals {
                    self.note(match refusal {
                        Refusal::Rate { .. } => "rate",
                        Refusal::Unsatisfiable { .. } => "never",
                        Refusal::Concurrency { .. } => "gauge",
                        Refusal::Cooldown { .. } => "cooldown",
                        Refusal::Budget { balance, .. } if &*balance.name == RUN => "run_budget",
                        Refusal::Budget { .. } => "budget",
                    });
                }
                if !refused.crossings.is_empty() {
                    self.note("crossed_by_refusal");
                } else if request.max_wait_ms.is_none() && before != self.account() {
                    return Err("a refusal wrote something".to_owned());
                }
            }
        }
        same(&model, &redis)
    }

    fn end(&mut self, number: u64, ending: Ending) -> Result<(), String> {
        let limits = Arc::clone(self.limits());
        let accounts = &self.world.accounts;
        let redis = self.ask(accounts.end(&limits, id(number), &ending, None))?;
        let model = self
            .model
            .end(&limits, id(number), ending, self.now, MEMORY);
        match &model {
            SettleReply::Applied(applied) => {
                let kind = if applied.corrected {
                    "corrected"
                } else {
                    "settled"
                };
                self.note(kind);
                if !applied.crossings.is_empty() {
                    self.note("crossed");
                }
                if applied.overrun > Money::ZERO {
                    self.note("overrun");
                }
            }
            SettleReply::Duplicate(_) => self.note("ended_before"),
            SettleReply::Unknown => self.note("unknown"),
            SettleReply::Alive => self.note("alive"),
        }
        same(&model, &redis)
    }

    /// Redis finds the oldest first, the model the lowest id; each ends the same.
    fn sweep(&mut self) -> Result<(), String> {
        let limits = Arc::clone(self.limits());
        let accounts = &self.world.accounts;
        let mut due = self.ask(accounts.due(&limits.scope, 1_000))?;
        due.sort_unstable();
        let mut redis = Vec::new();
        for id in due {
            match self.ask(accounts.end(&limits, id, &Ending::Expired, None))? {
                SettleReply::Applied(applied) => redis.push((id, applied)),
                other => return Err(format!("{id} was due, and is {other:?}")),
            }
        }
        let model = self.model.expire_due(&limits, self.now, 1_000, MEMORY);
        if !model.is_empty() {
            self.note("swept");
        }
        same(&model, &redis)
    }

    fn balances(&mut self) -> Result<(), String> {
        let limits = Arc::clone(self.limits());
        for which in 0..2 {
            let run = run(which);
            let accounts = &self.world.accounts;
            let redis = self.ask(accounts.balances(&limits, Some(&run)))?;
            let model = self.model.balances(&limits, self.now);
            same(&(model, self.model.run(&run)), &redis)?;
        }
        Ok(())
    }
}

mod config;
mod look;
mod top_up;
