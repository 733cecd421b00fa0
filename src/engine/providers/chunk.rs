//! What comes back: [`Chunk`]s, the same for every server.

use crate::domain::protocol::{TurnEnd, Usage};

/// What comes back, piece by piece. The stream ends after [`Chunk::End`] or an error.
#[derive(Clone, Debug, PartialEq)]
pub enum Chunk {
    /// The server took the request up (headers came): it is not queued any more.
    Accepted,
    /// The prompt is being read.
    Progress {
        /// Tokens read, those from the cache included.
        processed: u64,
        /// Tokens in all.
        total: u64,
    },
    /// The server is alive (a comment line or ping).
    Alive,
    /// A piece of thinking.
    Thinking(String),
    /// A piece of the answer.
    Answer(String),
    /// A closing tag of thinking came that was never opened: all of the answer so far was thinking.
    Rethought,
    /// A tool call, whole, as JSON `{id, name, arguments}`. `arguments` is what the model wrote where that is JSON;
    /// where it was cut in the middle it is the raw text, as a JSON string.
    ToolCall(String),
    /// The end: never [`TurnEnd::Failed`] or [`TurnEnd::Cancelled`]; those are errors and drops.
    End {
        /// Why.
        end: TurnEnd,
        /// What the server said of tokens and times (Baton's own clock figures are filled in by the engine).
        usage: Usage,
    },
}
