//! The role of who drains: one replica at a time, with one ledger.
//!
//! The ledger has an identity, which Redis remembers: an outbox that went to two ledgers would
//! leave each of them with a part of the spend, and a rebuild from either would forget the other.

use super::*;

/// Why a replica may not drain.
const ANOTHER: &str = "what this Redis holds is kept in another ledger. Give this replica the \
    directory of that ledger, or say drain = false in [store]; docs/operations.md says what to do \
    if that ledger is lost";

impl Drain {
    /// Takes the role and opens the ledger, if the role is free.
    pub(super) async fn take_role(&self) -> Result<Option<Tenure>, String> {
        self.check_ledger().await?;
        let mut take = redis::cmd("SET");
        take.arg(keys::DRAIN_LEASE).arg(&self.owner).arg("NX");
        take.arg("PX").arg(millis(LEASE));
        let kept = Instant::now();
        let taken = self.wire.send("drain", &take).await.map_err(text)? != Value::Nil;
        // It may be ours still: the connection broke, not the lease.
        if !taken && !self.extend_lease(LEASE).await.map_err(text)? {
            return Ok(None);
        }
        if let Err(why) = self.open_ledger().await {
            // Another replica may fare better.
            self.leave_role().await;
            return Err(why);
        }
        let args = Packer::new().finish();
        let names = [keys::DRAIN_TERM.to_owned()];
        let term = self.number(&self.scripts.term, &names, &args).await;
        let term = match term {
            Ok(term) => term,
            Err(fault) => {
                self.leave_role().await;
                return Err(fault.to_string());
            }
        };
        Ok(Some(Tenure {
            term,
            kept,
            compared: None,
            after: HashMap::new(),
            seeded: BTreeSet::new(),
        }))
    }

    /// Refuses if Redis knows another ledger, also when the role is taken: a replica that was once
    /// refused stays so, or it might win the role after Redis has lost everything.
    async fn check_ledger(&self) -> Result<(), String> {
        if self.refused.load(Relaxed) {
            return Err(ANOTHER.to_owned());
        }
        let Some(known) = self.known_ledger().await? else {
            return Ok(());
        };
        let ours = self.blocking(|archive| archive.identity()).await?;
        self.refuse_another(&known, ours.as_deref())
    }

    async fn open_ledger(&self) -> Result<(), String> {
        let ours = self.blocking(|archive| archive.open()).await?;
        let mut tell = redis::cmd("SET");
        tell.arg(keys::DRAIN_LEDGER).arg(&ours).arg("NX");
        self.wire.send("drain", &tell).await.map_err(text)?;
        let known = self.known_ledger().await?.unwrap_or_default();
        self.refuse_another(&known, Some(&ours))
    }

    async fn known_ledger(&self) -> Result<Option<String>, String> {
        let known = redis::cmd("GET").arg(keys::DRAIN_LEDGER).take();
        read(self.wire.send("drain", &known).await.map_err(text)?).map_err(text)
    }

    fn refuse_another(&self, known: &str, ours: Option<&str>) -> Result<(), String> {
        if ours == Some(known) {
            return Ok(());
        }
        self.refused.store(true, Relaxed);
        Err(ANOTHER.to_owned())
    }

    /// Whether the role is ours still.
    pub(super) async fn keep_role(&self, tenure: &mut Tenure) -> Result<bool, String> {
        let now = Instant::now();
        let kept = self.extend_lease(LEASE).await.map_err(text)?;
        if kept {
            tenure.kept = now;
        }
        Ok(kept)
    }

    /// Closes the ledger, and then lets the next one have the role.
    pub(super) async fn leave_role(&self) {
        if let Err(why) = self.blocking(|archive| archive.close()).await {
            self.tell(&StoreEvent::DrainFailed { why });
        }
        // If it fails, or is not ours any more, the lease runs out by itself.
        let _ = self.extend_lease(Duration::from_millis(1)).await;
    }

    /// Whether the lease is ours; then it lasts for so long from now.
    async fn extend_lease(&self, lease: Duration) -> Result<bool, Fault> {
        let mut args = Packer::new();
        args.text(&self.owner).int(millis(lease));
        let names = [keys::DRAIN_LEASE.to_owned()];
        let args = args.finish();
        Ok(self.number(&self.scripts.keep, &names, &args).await? == 1)
    }
}
