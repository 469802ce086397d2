//! Panics in the log: where, but not with what.
//!
//! The standard library would print the message to standard error, and a message may quote what was
//! being read: slicing a text in the wrong place shows the text.

use std::panic::{self, PanicHookInfo};

/// From now on panics go to the log, without what they were formatted from.
pub(super) fn to_log() {
    panic::set_hook(Box::new(tell));
}

fn tell(bug: &PanicHookInfo<'_>) {
    let place = bug.location().map(ToString::to_string);
    // A text that was written down in the source quotes nothing.
    let said = bug.payload().downcast_ref::<&'static str>().copied();
    tracing::error!(event = "bug", place, said, "a panic; please report it");
}

#[cfg(test)]
mod tests {
    use super::super::{super::testing::Captured, subscriber};
    use super::*;
    use crate::config::telemetry::LogFormat;
    use tracing::Level;

    #[test]
    fn a_panic_tells_its_place_and_no_text_that_it_met() {
        let captured = Captured::default();
        let subscriber = subscriber(LogFormat::Json, Level::INFO, captured.clone());
        let before = panic::take_hook();
        to_log();
        tracing::subscriber::with_default(subscriber, || {
            let prompt = String::from("a prompt with é in it");
            panic::catch_unwind(|| prompt[..15].len()).expect_err("within a letter");
            panic::catch_unwind(|| -> u8 { panic!("in the source") }).expect_err("it says so");
        });
        panic::set_hook(before);
        let text = captured.text();
        assert_eq!(text.matches("\"event\":\"bug\"").count(), 2, "{text}");
        assert_eq!(text.matches("bugs.rs:").count(), 2, "{text}");
        assert!(text.contains("in the source"), "{text}");
        assert!(!text.contains("prompt"), "{text}");
    }
}
