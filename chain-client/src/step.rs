//! The four steps of the chain, in order.

use serde::{Serialize, Serializer};

/// The name of the chain, which is also the pipeline that the gateway accounts it to.
pub(crate) const CHAIN: &str = "content-analysis";

/// The topics that an article may have.
pub(crate) const TAXONOMY: [&str; 8] = [
    "tech", "business", "science", "politics", "sports", "health", "arts", "other",
];

/// A step of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    /// People, places, organizations and dates.
    ExtractEntities,
    /// Two or three sentences.
    GenerateSummary,
    /// One to three topics.
    ClassifyContent,
    /// Relevance and quality, 1 to 10.
    ScoreQuality,
}

impl Step {
    /// All steps, in the order in which they run.
    pub(crate) const ALL: [Self; 4] = [
        Self::ExtractEntities,
        Self::GenerateSummary,
        Self::ClassifyContent,
        Self::ScoreQuality,
    ];

    /// The name in prompts, attribution, metrics and reports.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ExtractEntities => "extract_entities",
            Self::GenerateSummary => "generate_summary",
            Self::ClassifyContent => "classify_content",
            Self::ScoreQuality => "score_quality",
        }
    }

    /// The place in [`Step::ALL`].
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::ExtractEntities => 0,
            Self::GenerateSummary => 1,
            Self::ClassifyContent => 2,
            Self::ScoreQuality => 3,
        }
    }

    /// The step of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
