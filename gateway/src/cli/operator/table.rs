//! Columns for people.

/// Which side a column keeps to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Rows under their heads, each column as wide as it has to be.
pub(super) fn table(heads: &[(&str, Side)], rows: &[Vec<String>]) -> String {
    let width = |place: usize| {
        let cells = rows.iter().map(|row| row[place].chars().count());
        cells.fold(heads[place].0.chars().count(), usize::max)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let padded = cells
            .iter()
            .zip(heads)
            .zip(&widths)
            .map(|((cell, (_, side)), width)| match side {
                Side::Left => format!("{cell:width$}"),
                Side::Right => format!("{cell:>width$}"),
            });
        let line = padded.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    let heads: Vec<&str> = heads.iter().map(|(head, _)| *head).collect();
    let mut text = line(&heads);
    for row in rows {
        text.push_str(&line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    text
}
