//! What is listened for in calls.

use demarc_model::AnsweringSpec;
use serde::Deserialize;

/// `[detection]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detection {
    /// Whether two parties of whom one is on a channel are listened to for fax machines and modems; where one is heard, the
    /// sound of both is passed as it comes to the end of the call.
    #[serde(default = "yes")]
    pub fax: bool,
    /// A party of a conversation who has not spoken for so long is written into the journal; nobody is when left out.
    #[serde(default)]
    pub quiet_seconds: Option<u32>,
    /// `[detection.answering]`: how machines that answer are told from people. Times in milliseconds.
    #[serde(default)]
    pub answering: AnsweringSpec,
}

fn yes() -> bool {
    true
}

impl Default for Detection {
    fn default() -> Detection {
        Detection { fax: yes(), quiet_seconds: None, answering: AnsweringSpec::default() }
    }
}
