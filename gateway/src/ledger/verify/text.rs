//! A report for people.

use super::{Report, Total};
use std::io::{self, Write};
use tollgate_core::Money;

/// How many unclosed holds are listed.
const MOST_UNCLOSED: usize = 20;

impl Report {
    /// Writes the report as text.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn write_text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "segments {} to {}, {} entries, {} repeated, {} checkpoints compared",
            self.first_segment,
            self.last_segment,
            self.entries,
            self.repeated,
            self.checkpoints.len()
        )?;
        let kinds = self
            .by_kind
            .iter()
            .map(|(kind, count)| format!("{kind:?} {count}"));
        writeln!(out, "by kind: {}", kinds.collect::<Vec<_>>().join(", "))?;
        if self.torn_bytes > 0 {
            let bytes = self.torn_bytes;
            writeln!(
                out,
                "torn at the end: {bytes} bytes, which the next start cuts off"
            )?;
        }
        self.write_totals(out)?;
        self.write_unclosed(out)?;
        if self.is_sound() {
            return writeln!(out, "sound: every balance is the sum of its lines");
        }
        let problems = u64::try_from(self.problems.len()).unwrap_or(u64::MAX);
        writeln!(
            out,
            "NOT SOUND, {} problems:",
            problems.saturating_add(self.more_problems)
        )?;
        for problem in &self.problems {
            writeln!(out, "  {problem}")?;
        }
        Ok(())
    }

    fn write_totals(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = vec![
            [
                "team",
                "budget",
                "window",
                "spent $",
                "held $",
                "topped up $",
            ]
            .map(str::to_owned),
        ];
        rows.extend(self.totals.iter().map(row));
        let width = |column: usize| {
            let widths = rows.iter().map(|row| row[column].chars().count());
            widths.max().unwrap_or(0)
        };
        let [team, budget, window] = [0, 1, 2].map(width);
        let [spent, held, topped_up] = [3, 4, 5].map(width);
        for [a, b, c, d, e, f] in &rows {
            writeln!(
                out,
                "{a:team$}  {b:budget$}  {c:window$}  {d:>spent$}  {e:>held$}  {f:>topped_up$}"
            )?;
        }
        Ok(())
    }

    fn write_unclosed(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.unclosed.is_empty() {
            return Ok(());
        }
        let count = self.unclosed.len();
        writeln!(
            out,
            "holds without an ending: {count} (calls that run, or crashed)"
        )?;
        for hold in self.unclosed.iter().take(MOST_UNCLOSED) {
            let amount = Money::from_nanos(hold.held_nano_usd);
            writeln!(out, "  {}  {}  {amount}", hold.hold, hold.team)?;
        }
        Ok(())
    }
}

fn row(total: &Total) -> [String; 6] {
    let money = |nanos| Money::from_nanos(nanos).to_string();
    [
        total.team.to_string(),
        total.budget.to_string(),
        total.window.to_string(),
        money(total.spent_nano_usd),
        money(total.held_nano_usd),
        money(total.topped_up_nano_usd),
    ]
}
