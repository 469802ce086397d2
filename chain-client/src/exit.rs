//! The exit codes. They are part of the interface: schedulers decide by them.

use crate::stop::Reason;
use std::process::ExitCode;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All articles succeeded, or as many as were asked for.
    Ok,
    /// The run finished; some articles failed or were rejected.
    Partial,
    /// The command or the configuration is wrong; nothing was sent.
    Usage,
    /// The time budget was reached.
    TimeBudget,
    /// A money budget was reached.
    CostBudget,
    /// The gateway cannot be used.
    Systemic,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Partial => 1,
            Self::Usage => 2,
            Self::TimeBudget => 3,
            Self::CostBudget => 4,
            Self::Systemic => 5,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The word in reports and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Usage => "usage",
            Self::TimeBudget => "time_budget",
            Self::CostBudget => "cost_budget",
            Self::Systemic => "systemic",
            Self::Interrupted | Self::Terminated => "interrupted",
        }
    }

    /// The exit of a run that stopped early.
    pub(crate) const fn of(reason: &Reason) -> Self {
        match reason {
            Reason::TimeBudget => Self::TimeBudget,
            Reason::CostBudget => Self::CostBudget,
            Reason::Systemic(_) => Self::Systemic,
            Reason::Interrupted => Self::Interrupted,
            Reason::Terminated => Self::Terminated,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
