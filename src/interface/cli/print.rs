//! The command line's one printer: the only place in the program beside the console's terminal that writes to stdout
//! and stderr.
//!
//! stdout is data, stderr is words. Invariants: a terminal and stderr are given [`CleanText`] only; raw bytes go into
//! a file or a pipe, where programs want them as they are; JSON has no controls in it by its own rules but is cleaned
//! for a terminal all the same. A reader that is gone (`| head`) is no error.

use std::io::{ErrorKind, IsTerminal, Write};

use super::narrow::{NARROW, hang};
use crate::domain::text::{CleanText, width};

/// Lines that are too long for a narrow terminal, wrapped below where they begin; others as they are.
fn narrowed(text: &str, columns: usize) -> String {
    let mut out = String::new();
    for line in text.lines().chain(text.is_empty().then_some("")) {
        let words = line.trim_start();
        let rows = if width::width(line) <= columns {
            vec![line.to_owned()]
        } else {
            hang(line.get(..line.len() - words.len()).unwrap_or_default(), words, columns)
        };
        rows.iter().for_each(|row| out.extend([row.as_str(), "\n"]));
    }
    out
}

/// Where output goes.
#[derive(Debug)]
pub(crate) struct Printer {
    out_terminal: bool,
    err_terminal: bool,
    /// Whether a progress line stands on the terminal without an end.
    bar: bool,
    /// Nobody reads stdout any more.
    gone: bool,
    /// stdout could not be written.
    failed: Option<std::io::Error>,
}

impl Printer {
    /// A printer on this process's stdout and stderr.
    pub(crate) fn new() -> Self {
        Self {
            out_terminal: std::io::stdout().is_terminal(),
            err_terminal: std::io::stderr().is_terminal(),
            bar: false,
            gone: false,
            failed: None,
        }
    }

    /// How wide stdout is, where that is known: as `COLUMNS` says, else its terminal.
    pub(crate) fn columns(&self) -> Option<usize> {
        let told = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse::<usize>().ok());
        // A terminal narrower than a word helps nobody.
        let known = told.filter(|columns| (20..=500).contains(columns));
        let terminal = || crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns));
        known.or_else(|| if self.out_terminal { terminal() } else { None })
    }

    /// Whether data goes to a terminal.
    pub(crate) fn data_on_terminal(&self) -> bool {
        self.out_terminal
    }

    /// Whether words go to a terminal.
    pub(crate) fn words_on_terminal(&self) -> bool {
        self.err_terminal
    }

    /// Data, as it is into a file or a pipe; cleaned on a terminal.
    pub(crate) fn data(&mut self, raw: &str) {
        if self.gone {
            return;
        }
        self.clear_bar();
        let clean;
        let text = if self.out_terminal {
            clean = CleanText::new(raw);
            clean.as_str()
        } else {
            raw
        };
        let mut out = std::io::stdout().lock();
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            self.gone = true;
            if error.kind() != ErrorKind::BrokenPipe {
                self.failed = Some(error);
            }
        }
    }

    /// Whether nobody reads stdout any more, so that what is long may stop.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Data and a line end.
    pub(crate) fn data_line(&mut self, raw: &str) {
        self.data(&format!("{raw}\n"));
    }

    /// A JSON value over several lines.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.data_line(&text),
            Err(error) => self.words(&format!("the answer could not be written as JSON: {error}")),
        }
    }

    /// A sentence for people, on stderr. Sanitised, wherever it goes.
    pub(crate) fn words(&mut self, text: &str) {
        self.clear_bar();
        let clean = CleanText::new(text);
        let terminal = || crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns));
        // What is narrower than any word is no terminal that tells its size.
        match if self.err_terminal { terminal().filter(|columns| (20..NARROW).contains(columns)) } else { None } {
            Some(columns) => self.err(&narrowed(&clean, columns)),
            None => self.err(&format!("{clean}\n")),
        }
    }

    /// The progress line, over the one before. Only on a terminal of that many columns.
    pub(crate) fn bar(&mut self, text: &CleanText, columns: usize) {
        if self.err_terminal {
            let one = text.to_one_line();
            let line = width::cut_end(&one, columns.saturating_sub(1).max(1));
            let text = format!("\r{line}\x1b[K");
            self.err(&text);
            self.bar = true;
        }
    }

    /// Takes the progress line away.
    pub(crate) fn clear_bar(&mut self) {
        if std::mem::take(&mut self.bar) {
            self.err("\r\x1b[K");
        }
    }

    /// Whether nobody reads stdout any more: what is printed on and on may end.
    pub(crate) fn is_unread(&self) -> bool {
        self.gone
    }

    /// Why stdout could not be written, if it could not.
    pub(crate) fn failure(&mut self) -> Option<std::io::Error> {
        self.failed.take()
    }

    fn err(&mut self, text: &str) {
        // There is nobody left to tell.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}
