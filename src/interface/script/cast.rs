//! Frames as an asciicast, version 3: a header line and then `[interval, code, data]` a line, as asciinema plays them.
//!
//! <https://docs.asciinema.org/manual/asciicast/v3/>: intervals are seconds since the event before; codes are `o` for
//! output, `m` for a marker, `r` for a resize, `x` for the exit status.
//!
//! Not here: which frames there are. Invariants: what is written are differences between frames, so that a player that
//! began at the first one shows the last; times never go back; the same frames give the same bytes.

use std::io::{self, Write};

use crossterm::style::force_color_output;
use ratatui::backend::{Backend, ClearType, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde::Serialize;

use crate::domain::protocol::Micros;

/// What stands in the first line.
#[derive(Clone, Debug)]
pub struct Heading {
    /// Columns and rows.
    pub size: (u16, u16),
    /// When the session began, in seconds since 1970.
    pub began: Option<u64>,
    /// What it is called.
    pub title: String,
    /// Longer pauses than this many seconds are cut short by a player.
    pub idle_limit: Option<f64>,
}

/// Writes a cast, frame by frame.
pub struct Cast<W: Write> {
    out: W,
    shown: Buffer,
    at: Micros,
}

impl<W: Write> Cast<W> {
    /// Begins with the header and an empty screen at session time `at`.
    ///
    /// # Errors
    /// What the writer refused.
    pub fn begin(mut out: W, heading: &Heading, at: Micros) -> io::Result<Self> {
        #[derive(Serialize)]
        struct Term {
            cols: u16,
            rows: u16,
            #[serde(rename = "type")]
            kind: &'static str,
        }
        #[derive(Serialize)]
        struct Header<'a> {
            version: u8,
            term: Term,
            #[serde(skip_serializing_if = "Option::is_none")]
            timestamp: Option<u64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            idle_time_limit: Option<f64>,
            title: &'a str,
            command: &'static str,
        }
        // Whether there are colours is the theme's to say, not the environment's: the same cast everywhere.
        force_color_output(true);
        let (cols, rows) = heading.size;
        let header = Header {
            version: 3,
            term: Term { cols, rows, kind: "xterm-256color" },
            timestamp: heading.began,
            idle_time_limit: heading.idle_limit,
            title: &heading.title,
            command: "baton",
        };
        serde_json::to_writer(&mut out, &header)?;
        out.write_all(b"\n")?;
        let mut cast = Self { out, shown: Buffer::empty(Rect::new(0, 0, cols, rows)), at };
        // No cursor: the console has none outside text fields.
        cast.event("o", "\u{1b}[?25l\u{1b}[2J", at)?;
        Ok(cast)
    }

    /// The frame at a session time. One that shows nothing new is not written.
    ///
    /// # Errors
    /// What the writer refused.
    pub fn frame(&mut self, frame: &Buffer, at: Micros) -> io::Result<()> {
        let mut bytes = Vec::new();
        if frame.area != self.shown.area {
            self.event("r", &format!("{}x{}", frame.area.width, frame.area.height), at)?;
            self.shown = Buffer::empty(frame.area);
            CrosstermBackend::new(&mut bytes).clear_region(ClearType::All)?;
        }
        let changed = self.shown.diff(frame);
        if !changed.is_empty() {
            CrosstermBackend::new(&mut bytes).draw(changed.into_iter())?;
        }
        self.shown.clone_from(frame);
        if bytes.is_empty() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.event("o", &text, at)
    }

    /// A marker: a player stops there or jumps there.
    ///
    /// # Errors
    /// What the writer refused.
    pub fn marker(&mut self, label: &str, at: Micros) -> io::Result<()> {
        self.event("m", label, at)
    }

    /// Ends with an exit status, and gives the writer back.
    ///
    /// # Errors
    /// What the writer refused.
    pub fn end(mut self, status: u8, at: Micros) -> io::Result<W> {
        self.event("x", &status.to_string(), at)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn event(&mut self, code: &str, data: &str, at: Micros) -> io::Result<()> {
        let interval = at.since(self.at);
        self.at = self.at.max(at);
        // Microseconds as they are, so that no rounding adds up.
        let seconds = format!("{}.{:06}", interval.0 / 1_000_000, interval.0 % 1_000_000);
        writeln!(self.out, "[{seconds}, {}, {}]", json(code), json(data))
    }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use ratatui::style::{Color, Style};

    use super::*;

    fn frame(text: &str) -> Buffer {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 20, 2));
        buffer.set_string(1, 1, text, Style::new().fg(Color::Rgb(200, 10, 10)));
        buffer
    }

    #[test]
    fn a_cast_shows_the_last_frame_and_its_times_are_intervals() {
        let heading = Heading { size: (20, 2), began: Some(7), title: "t".into(), idle_limit: Some(2.0) };
        let mut cast = Cast::begin(Vec::new(), &heading, Micros(0)).unwrap();
        cast.frame(&frame("one"), Micros(1_500_000)).unwrap();
        cast.frame(&frame("one"), Micros(1_600_000)).unwrap();
        cast.marker("a task", Micros(2_000_000)).unwrap();
        cast.frame(&frame("two 全"), Micros(2_000_001)).unwrap();
        let text = String::from_utf8(cast.end(0, Micros(3_000_000)).unwrap()).unwrap();
        let mut lines = text.lines();
        let header: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        assert_eq!((&header["version"], &header["term"]["cols"]), (&3.into(), &20.into()));
        let events: Vec<(f64, String, String)> = lines.map(|l| serde_json::from_str(l).unwrap()).collect();
        let codes: Vec<&str> = events.iter().map(|e| e.1.as_str()).collect();
        // The second frame showed nothing new.
        assert_eq!(codes, ["o", "o", "m", "o", "x"]);
        let total: f64 = events.iter().map(|e| e.0).sum();
        assert!((total - 3.0).abs() < 1e-9, "{total}");
        let mut screen = vt100::Parser::new(2, 20, 0);
        events.iter().filter(|e| e.1 == "o").for_each(|e| screen.process(e.2.as_bytes()));
        assert!(screen.screen().contents().contains("two 全"), "{}", screen.screen().contents());
    }
}
