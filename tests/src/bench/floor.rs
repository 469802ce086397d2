//! The pass-through's two scripts: one before the upstream call and one after it.

use super::frames::{FLOOR_TAG, Frames, Ids, Template};
use anyhow::{Context as _, Result, ensure};
use redis::{Value, aio::MultiplexedConnection};
use std::{fs, path::Path};

/// Sends what a gateway sends, on keys of its own.
pub(super) struct Floor {
    connection: MultiplexedConnection,
    hold: Template,
    settle: Template,
    ids: Ids,
}

impl Floor {
    /// `frames` is a file that holds what to send.
    pub(super) async fn connect(url: &str, frames: &Path) -> Result<Self> {
        let text = fs::read(frames).with_context(|| format!("no {}", frames.display()))?;
        let Frames { hold, settle, id } = serde_json::from_slice(&text)?;
        let client = redis::Client::open(url)?;
        Ok(Self {
            connection: client.get_multiplexed_async_connection().await?,
            hold: Template::new(&hold, &id, FLOOR_TAG),
            settle: Template::new(&settle, &id, FLOOR_TAG),
            ids: Ids::new(),
        })
    }

    /// Before the upstream call. Returns the id for afterwards.
    pub(super) async fn before(&self) -> Result<String> {
        let id = self.ids.next();
        self.run(&self.hold, &id, b'H').await?;
        Ok(id)
    }

    /// After it.
    pub(super) async fn after(&self, id: &str) -> Result<()> {
        self.run(&self.settle, id, b'E').await
    }

    async fn run(&self, template: &Template, id: &str, expected: u8) -> Result<()> {
        let command = template.command(id);
        let value: Value = command.query_async(&mut self.connection.clone()).await?;
        check(&value, expected)
    }
}

/// The scripts must do all of their work: a hold that is granted, and an ending that lands.
pub(super) fn check(value: &Value, expected: u8) -> Result<()> {
    let Value::BulkString(bytes) = value else {
        anyhow::bail!("a script answered {value:?}");
    };
    let kind = bytes.iter().take(6).any(|byte| *byte == expected);
    ensure!(
        kind,
        "a script answered {:?}",
        String::from_utf8_lossy(bytes)
    );
    Ok(())
}
