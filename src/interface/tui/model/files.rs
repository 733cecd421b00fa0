//! Files that the goal box names by `@`: what it asks of the disk, and what came of it.
//!
//! Not here: the disk (`runtime/files`), which words name a file (`given/mentioned`). Invariants: what is shown of files is
//! of the text in the box; a text that changed while its files were read is not sent.

use super::UiEffect;
use crate::domain::protocol::Command;
use crate::domain::text::CleanText;
use crate::interface::given::mentioned::mentions;

/// What the goal box asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilesWish {
    /// How the path that is typed goes on.
    Complete(String),
    /// What the files are that a text names.
    Look(String),
    /// The goal of a text, with the files that it names.
    Read(String),
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum FilesNews {
    /// A path goes on so.
    Completed {
        /// As it was typed.
        typed: String,
        /// As far as it is sure.
        path: String,
        /// Names that go on from there; none where it is whole.
        names: Vec<CleanText>,
        /// How many more there are.
        more: usize,
    },
    /// A path goes on in no way.
    NotCompleted(CleanText),
    /// The files of a text are these.
    Looked(String, Vec<(CleanText, FileSeen)>),
    /// The goal of a text is this.
    Read {
        /// As it was typed.
        text: String,
        /// What it comes to, or why it can't be taken.
        command: Result<Box<Command>, CleanText>,
        /// What is to be said of it.
        said: Vec<CleanText>,
    },
}

/// What a named file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSeen {
    /// A text of so many bytes.
    Text(u64),
    /// Nothing is there, and it may be meant as words.
    Words,
    /// It can't be taken: why.
    Wrong(CleanText),
}

/// What is known of the files that the text in the box names.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamedFiles {
    /// The text that all of it is of.
    of: String,
    /// The paths that it names.
    paths: Vec<String>,
    /// What they are.
    pub(crate) seen: Vec<(CleanText, FileSeen)>,
    /// How the path that is typed may go on, and how many more ways there are.
    pub(crate) names: (Vec<CleanText>, usize),
    /// Why it was not sent, or a path not completed.
    pub(crate) trouble: Option<CleanText>,
    /// The text whose files are being read.
    reading: Option<String>,
}

impl NamedFiles {
    /// Whether the text names any.
    pub(crate) fn any(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Whether the files of this text are being read.
    pub(super) fn is_reading(&self, text: &str) -> bool {
        self.reading.as_deref() == Some(text)
    }

    /// The text is this now: what is to be looked at.
    pub(super) fn follow(&mut self, text: String) -> Option<UiEffect> {
        if text == self.of {
            return None;
        }
        let paths: Vec<String> = mentions(&text).into_iter().map(|mention| mention.path).collect();
        let others = paths != self.paths;
        (self.of, self.paths) = (text.clone(), paths);
        (self.names, self.trouble) = Default::default();
        self.seen.retain(|(path, _)| self.paths.iter().any(|p| CleanText::one_line(p) == *path));
        (others && self.any()).then_some(UiEffect::Files(FilesWish::Look(text)))
    }

    /// The goal is sent as soon as its files are read.
    pub(super) fn read(&mut self, text: String) -> UiEffect {
        self.reading = Some(text.clone());
        self.trouble = None;
        UiEffect::Files(FilesWish::Read(text))
    }

    /// The files were read, or could not be.
    pub(super) fn was_read(&mut self) {
        self.reading = None;
    }

    /// What the files are, if that is still the question.
    pub(super) fn looked(&mut self, text: &str, seen: Vec<(CleanText, FileSeen)>) {
        let paths: Vec<String> = mentions(text).into_iter().map(|mention| mention.path).collect();
        if paths == self.paths {
            self.seen = seen;
        }
    }
}
