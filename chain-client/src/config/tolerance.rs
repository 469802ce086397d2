//! How many failures a run may have and still count as good.

/// How many articles may fail before the run counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tolerance {
    Articles(u64),
    /// In hundredths of a percent.
    Share(u64),
}

impl Tolerance {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let refuse = || format!("{text:?} is neither a number of articles nor a share such as 2%");
        let Some(percent) = text.strip_suffix('%') else {
            return text.parse().map(Self::Articles).map_err(|_| refuse());
        };
        let (whole, part) = percent.split_once('.').unwrap_or((percent, ""));
        let whole: u64 = whole.parse().map_err(|_| refuse())?;
        if part.len() > 2 || !part.bytes().all(|byte| byte.is_ascii_digit()) || whole > 100 {
            return Err(refuse());
        }
        let part: u64 = format!("{part:0<2}").parse().map_err(|_| refuse())?;
        Ok(Self::Share(whole * 100 + part))
    }

    /// Whether this many failures of so many articles are too many.
    pub(crate) fn exceeded_by(self, failed: u64, all: u64) -> bool {
        match self {
            Self::Articles(most) => failed > most,
            Self::Share(most) => failed.saturating_mul(10_000) > most.saturating_mul(all),
        }
    }
}
