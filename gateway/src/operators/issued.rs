//! What is kept of a key that was made while a gateway ran.

use crate::{
    catalog::Key,
    keys::{hmac_text, parse_hmac},
};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};
use tollgate_core::Timestamp;

/// What is kept of a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// Its id.
    pub id: Arc<str>,
    /// Its team.
    pub team: Arc<str>,
    /// HMAC-SHA-256 of the whole key under the pepper.
    pub hmac: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// The note of a key. Newer gateways may add to it.
#[derive(Serialize, Deserialize)]
struct Note {
    team: Arc<str>,
    hmac: String,
    created_at_ms: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at_ms: Option<i64>,
}

impl Issued {
    /// What is written on the board.
    pub(super) fn note(&self) -> String {
        let note = Note {
            team: Arc::clone(&self.team),
            hmac: hmac_text(&self.hmac),
            created_at_ms: self.created_at.millis(),
            revoked_at_ms: self.revoked_at.map(Timestamp::millis),
        };
        serde_json::to_string(&note).expect("texts and numbers are JSON")
    }

    pub(super) fn read(id: &str, note: &str) -> Option<Self> {
        let note: Note = serde_json::from_str(note).ok()?;
        Some(Self {
            id: id.into(),
            team: note.team,
            hmac: parse_hmac(&note.hmac)?,
            created_at: Timestamp::from_millis(note.created_at_ms),
            revoked_at: note.revoked_at_ms.map(Timestamp::from_millis),
        })
    }

    /// Its entry of a keyring.
    pub(super) fn entry(&self) -> (Arc<str>, Key) {
        let key = Key {
            team: Arc::clone(&self.team),
            hmac: self.hmac,
        };
        (Arc::clone(&self.id), key)
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("id", &self.id)
            .field("team", &self.team)
            .field("created_at", &self.created_at)
            .field("revoked_at", &self.revoked_at)
            .finish_non_exhaustive()
    }
}

/// An id for who does not choose one: the team's name, as far as it fits, and a random number.
pub(super) fn id_of_its_own(team: &str) -> String {
    const LONGEST: usize = 23;
    let plain = |c: char| match c {
        'a'..='z' | '0'..='9' => c,
        _ => '-',
    };
    let name: String = team.chars().take(LONGEST).map(plain).collect();
    format!("{name}-{:08x}", fastrand::u32(..))
}
