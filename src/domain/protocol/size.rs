//! How long something is in a journal, before it is decided: a record that decides is never shortened, so what would make
//! one too long is refused.

use std::io::Write;

use serde::Serialize;

/// The most bytes of what a record of a decision carries (a plan, an edit): a line of the journal has at most 8 MiB, and
/// a plan of 10,000 tasks takes half of this.
pub const MOST_DECIDED: usize = 7 << 20;

/// The bytes that `value` takes in a record.
pub fn recorded_bytes(value: &impl Serialize) -> usize {
    let mut counted = Counted(0);
    // What can't be written at all is met where it is written.
    let _ = serde_json::to_writer(&mut counted, value);
    counted.0
}

struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
