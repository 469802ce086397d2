//! One try of one command: within its deadline, through the gate, by hash or by text.

use super::{fault::Fault, gate::Gate, link::Link, script::Script};
use crate::store::event::StoreObserver;
use redis::{Cmd, ErrorKind, RedisResult, ServerErrorKind, Value};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// How commands are sent.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) link: Arc<Link>,
    pub(super) gate: Option<Arc<Gate>>,
    pub(super) observer: Arc<dyn StoreObserver>,
    pub(super) timeout: Duration,
}

impl Wire {
    /// The same wire for those who probe and repair while the gate is shut.
    pub(super) fn ungated(&self, timeout: Duration) -> Self {
        Self {
            gate: None,
            timeout,
            ..self.clone()
        }
    }

    /// Runs a script. An error in the middle of it would leave what it wrote before, so scripts
    /// look at everything first and then make writes that can't fail.
    pub(super) async fn run(
        &self,
        what: &'static str,
        script: &Script,
        keys: &[String],
        args: &[&[u8]],
    ) -> Result<Vec<u8>, Fault> {
        let by_hash = script.by_hash(keys, args);
        let value = self.within(what, async {
            match self.link.send(&by_hash).await {
                // Redis has lost the script. Sending the text is one round trip, loading it two.
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    self.link.send(&script.by_text(keys, args)).await
                }
                other => other,
            }
        });
        match value.await? {
            Value::BulkString(bytes) => Ok(bytes),
            other => Err(Fault::Wrong(format!("{other:?}"))),
        }
    }

    /// Sends a plain command.
    pub(super) async fn send(&self, what: &'static str, command: &Cmd) -> Result<Value, Fault> {
        self.within(what, self.link.send(command)).await
    }

    async fn within(
        &self,
        what: &'static str,
        answer: impl Future<Output = RedisResult<Value>>,
    ) -> Result<Value, Fault> {
        if let Some(gate) = &self.gate {
            gate.check()?;
        }
        let started = Instant::now();
        let answer = async {
            if let Some(gate) = &self.gate {
                // Dialing may have found another Redis, which shuts the gate.
                self.link.ready().await?;
                gate.check()?;
            }
            Ok(answer.await?)
        };
        let result = tokio::time::timeout(self.timeout, answer).await;
        let result = result.unwrap_or(Err(Fault::Timeout));
        let outcome = match &result {
            Ok(_) => "ok",
            Err(Fault::Timeout) => "timeout",
            Err(Fault::Broken(_)) => "connection",
            Err(Fault::Unfit(_)) => "unfit",
            Err(_) => "other",
        };
        self.observer.asked(what, started.elapsed(), outcome);
        if let Some(gate) = &self.gate {
            gate.note(result.as_ref().err());
        }
        result
    }
}
