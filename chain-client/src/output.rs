//! What people and programs read: data on standard output, everything else on standard error.
//!
//! A reader that goes away (a closed pipe) is no failure of the run.

use indicatif::MultiProgress;
use std::{
    io::{IsTerminal as _, Write},
    sync::{Arc, Mutex, PoisonError},
};

/// Where text goes, and what may be done to it there.
#[derive(Clone)]
pub(crate) struct Output(Arc<Inner>);

struct Inner {
    out: Mutex<Box<dyn Write + Send>>,
    err: Mutex<Box<dyn Write + Send>>,
    /// The live display on standard error, which must make room for lines.
    bars: Mutex<Option<MultiProgress>>,
    about: About,
}

/// What is known of the two streams.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct About {
    pub(crate) out_is_terminal: bool,
    pub(crate) err_is_terminal: bool,
    /// Whether colours are allowed at all.
    pub(crate) colors: bool,
}

impl Output {
    /// Standard output and standard error.
    pub(crate) fn standard(colors: bool) -> Self {
        let about = About {
            out_is_terminal: std::io::stdout().is_terminal(),
            err_is_terminal: std::io::stderr().is_terminal(),
            colors,
        };
        Self::new(
            Box::new(std::io::stdout()),
            Box::new(std::io::stderr()),
            about,
        )
    }

    pub(crate) fn new(
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
        about: About,
    ) -> Self {
        let bars = Mutex::new(None);
        Self(Arc::new(Inner {
            out: Mutex::new(out),
            err: Mutex::new(err),
            bars,
            about,
        }))
    }

    pub(crate) fn about(&self) -> About {
        self.0.about
    }

    /// Sets or takes away the live display.
    pub(crate) fn show_bars(&self, bars: Option<MultiProgress>) {
        *self.0.bars.lock().unwrap_or_else(PoisonError::into_inner) = bars;
    }

    /// A line of data.
    pub(crate) fn data(&self, line: &str) {
        write(&self.0.out, line);
    }

    /// A line for people.
    pub(crate) fn note(&self, line: &str) {
        let bars = self
            .0
            .bars
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match bars {
            Some(bars) => bars.suspend(|| write(&self.0.err, line)),
            None => write(&self.0.err, line),
        }
    }
}

fn write(stream: &Mutex<Box<dyn Write + Send>>, line: &str) {
    let mut stream = stream.lock().unwrap_or_else(PoisonError::into_inner);
    // Nobody is left to tell if this fails.
    let _ = writeln!(stream, "{line}").and_then(|()| stream.flush());
}
