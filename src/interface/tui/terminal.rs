//! The terminal and what Baton changes about it. [`Tty`] is the real one; tests stand a buffer in its place.
//!
//! Invariants: `leave` undoes `enter`, exactly and in reverse, and either may be called twice; it is called on every way
//! out: an ordinary end, a panic of the main thread, a signal, suspension, an editor. Nothing else in the program
//! writes to the terminal while it is entered.

use std::io::{self, IsTerminal, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::clipboard::CopyToClipboard;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange, Event};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, SetTitle,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use futures_util::Stream;
use ratatui::Terminal;
use ratatui::backend::{Backend, ClearType, CrosstermBackend};
use ratatui::buffer::Buffer;

use super::keyboard::Keyboard;
use super::model::Mouse;
use crate::domain::text::CleanText;

/// Buttons and drags, in the form all terminals have: not every movement, which floods a slow line.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1002h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1002l\x1b[?1000l";
/// The window's title is put aside and taken back.
const TITLE_ASIDE: &str = "\x1b[22;2t";
const TITLE_BACK: &str = "\x1b[23;2t";

/// Whether the bell rings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bell {
    /// It does not.
    #[default]
    Silent,
    /// It does.
    Rings,
}

/// What is written to call the operator. OSC 9 ends at the first BEL, and clean text has none.
fn write_call(out: &mut impl Write, bell: Bell, words: Option<&CleanText>) -> io::Result<()> {
    if let Some(words) = words {
        queue!(out, Print(format!("\x1b]9;{}\x07", CleanText::one_line(words))))?;
    }
    if bell == Bell::Rings {
        queue!(out, Print("\x07"))?;
    }
    out.flush()
}

/// Where a console is shown.
pub(crate) trait Stage {
    /// What the user does.
    type Events: Stream<Item = io::Result<Event>> + Unpin;

    /// Takes the terminal over.
    fn enter(&mut self) -> io::Result<()>;

    /// Gives it back as it was.
    fn leave(&mut self) -> io::Result<()>;

    /// Begins to read what the user does. The one before must have been dropped.
    fn events(&mut self) -> Self::Events;

    /// Columns and rows.
    fn size(&self) -> io::Result<(u16, u16)>;

    /// Draws what differs from the last frame.
    fn draw(&mut self, paint: &mut dyn FnMut(&mut Buffer)) -> io::Result<()>;

    /// Makes the next frame draw everything.
    fn clear(&mut self) -> io::Result<()>;

    /// Takes the mouse or gives it back.
    fn mouse(&mut self, mouse: Mouse) -> io::Result<()>;

    /// Sets the window's title.
    fn title(&mut self, title: &CleanText) -> io::Result<()>;

    /// Calls the operator from another window: by the bell, and by a notification with these words where some are given.
    fn call(&mut self, bell: Bell, words: Option<&CleanText>) -> io::Result<()>;

    /// Asks the terminal to put text on the clipboard (OSC 52). It never answers whether it did.
    fn clipboard(&mut self, text: &str) -> io::Result<()>;

    /// Stops the process group until it is continued. The terminal must have been given back.
    fn suspend(&mut self) -> io::Result<()>;

    /// Parts from the terminal for good, without writing to it: nobody reads or writes it from here on.
    fn part(&mut self) -> io::Result<()>;
}

/// Whether the terminal is entered: the panic hook asks, from wherever it runs.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// The terminal of this process.
pub struct Tty {
    terminal: Terminal<CrosstermBackend<Whole<Stdout>>>,
    mouse: Mouse,
}

impl Tty {
    /// The terminal on stdin and stdout. It is not touched yet.
    ///
    /// # Errors
    /// There is none there.
    pub fn new() -> io::Result<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "stdin and stdout are not a terminal"));
        }
        let terminal = Terminal::new(CrosstermBackend::new(Whole { out: io::stdout(), frame: Vec::new() }))?;
        Ok(Self { terminal, mouse: Mouse::Terminal })
    }
}

/// What a frame without any change would write.
const NO_CHANGE: &[u8] = b"\x1b[?2026h\x1b[39m\x1b[49m\x1b[59m\x1b[0m\x1b[?2026l";

/// Gathers what is written until it is flushed, so that a frame is one write and one update, and a frame that changes
/// nothing is none.
struct Whole<W> {
    out: W,
    frame: Vec<u8>,
}

impl<W: Write> Write for Whole<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = if self.frame == NO_CHANGE { Ok(()) } else { self.out.write_all(&self.frame) };
        self.frame.clear();
        written?;
        self.out.flush()
    }
}

/// Draws what differs from the last frame.
fn draw<W: Write>(
    terminal: &mut Terminal<CrosstermBackend<Whole<W>>>,
    paint: &mut dyn FnMut(&mut Buffer),
) -> io::Result<()> {
    queue!(terminal.backend_mut(), BeginSynchronizedUpdate)?;
    // `Terminal::draw` hides the cursor with every frame; here it is hidden from the start.
    terminal.autoresize()?;
    paint(terminal.get_frame().buffer_mut());
    terminal.flush()?;
    terminal.swap_buffers();
    queue!(terminal.backend_mut(), EndSynchronizedUpdate)?;
    Write::flush(terminal.backend_mut())
}

/// What is written to take a terminal over.
fn write_enter(out: &mut impl Write) -> io::Result<()> {
    queue!(out, Print(TITLE_ASIDE), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange, Hide)?;
    out.flush()
}

/// The same, undone in reverse.
fn write_leave(out: &mut impl Write) -> io::Result<()> {
    queue!(
        out,
        EndSynchronizedUpdate,
        Print(MOUSE_OFF),
        Show,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        Print(TITLE_BACK)
    )?;
    out.flush()
}

/// Gives a terminal back that a console took over which can't do it any more: it was killed. `before` is how the terminal
/// was when that console was started.
pub(super) fn restore_for_another(before: &rustix::termios::Termios, out: &mut impl Write) -> io::Result<()> {
    let input = std::io::stdin();
    // What was typed for the console is not meant for the shell.
    let set = rustix::termios::tcsetattr(&input, rustix::termios::OptionalActions::Flush, before);
    write_leave(out)?;
    set.map_err(io::Error::from)
}

/// Gives the terminal back from anywhere, once.
fn restore(out: &mut impl Write) -> io::Result<()> {
    if ENTERED.swap(false, Ordering::SeqCst) {
        let written = write_leave(out);
        let raw = disable_raw_mode();
        written?;
        raw?;
    }
    Ok(())
}

/// Whether a panic may be told on the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// The terminal is the shell's.
    Now,
    /// The terminal is the console's: only the log is told.
    Later,
}

/// Gives the terminal back when the thread that panics is the one that draws on it.
fn heed_panic(thread: Option<&str>, out: &mut impl Write) -> Told {
    if thread == Some("main") {
        // Nothing more can be done about a terminal that takes no bytes.
        let _ = restore(out);
    }
    if ENTERED.load(Ordering::SeqCst) { Told::Later } else { Told::Now }
}

/// Makes a panic of the main thread give the terminal back before it is told. One of another thread tears nothing
/// down: the console stays up and says that something ended.
pub fn install_panic_hook() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if heed_panic(std::thread::current().name(), &mut io::stdout()) == Told::Now {
            before(info);
        }
        tracing::error!(panic = %info, "panicked");
    }));
}

impl Stage for Tty {
    type Events = Keyboard;

    fn enter(&mut self) -> io::Result<()> {
        enable_raw_mode()?;
        if !ENTERED.swap(true, Ordering::SeqCst) {
            write_enter(self.terminal.backend_mut())?;
        }
        self.mouse(self.mouse)?;
        Stage::clear(self)
    }

    fn leave(&mut self) -> io::Result<()> {
        restore(self.terminal.backend_mut())
    }

    fn events(&mut self) -> Keyboard {
        Keyboard::listen()
    }

    fn size(&self) -> io::Result<(u16, u16)> {
        crossterm::terminal::size()
    }

    fn draw(&mut self, paint: &mut dyn FnMut(&mut Buffer)) -> io::Result<()> {
        draw(&mut self.terminal, paint)
    }

    fn clear(&mut self) -> io::Result<()> {
        // `Terminal::clear` asks the terminal where its cursor is: two seconds' wait where nothing answers, and a race
        // with the reader of keys where something does. Forgetting both buffers is all that is needed.
        self.terminal.backend_mut().clear_region(ClearType::All)?;
        self.terminal.swap_buffers();
        self.terminal.swap_buffers();
        Ok(())
    }

    fn mouse(&mut self, mouse: Mouse) -> io::Result<()> {
        let codes = match mouse {
            Mouse::Baton => MOUSE_ON,
            Mouse::Terminal if self.mouse == Mouse::Baton => MOUSE_OFF,
            Mouse::Terminal => "",
        };
        self.mouse = mouse;
        execute!(self.terminal.backend_mut(), Print(codes))
    }

    fn title(&mut self, title: &CleanText) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), SetTitle(title.lines().next().unwrap_or_default()))
    }

    fn call(&mut self, bell: Bell, words: Option<&CleanText>) -> io::Result<()> {
        write_call(self.terminal.backend_mut(), bell, words)
    }

    fn clipboard(&mut self, text: &str) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), CopyToClipboard::to_clipboard_from(text))
    }

    fn suspend(&mut self) -> io::Result<()> {
        // For the launcher and whatever else the shell counts to this job. Here TSTP is listened to and stops nothing;
        // TTOU does, and like TSTP it is ignored where no shell is there to continue the job.
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TTOU)?;
        // Another thread may take the signal: this one must not enter the terminal before everything stands.
        std::thread::sleep(std::time::Duration::from_millis(60));
        Ok(())
    }

    fn part(&mut self) -> io::Result<()> {
        ENTERED.store(false, Ordering::SeqCst);
        // First of all stdin: while it is a dead terminal, the thread that reads it spins.
        let (reader, writer) = rustix::pipe::pipe()?;
        rustix::stdio::dup2_stdin(&reader)?;
        // The writing end stays open as long as the process: a read waits for ever and never sees an end.
        std::mem::forget(writer);
        let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdout(&null)?;
        rustix::stdio::dup2_stderr(&null)?;
        // Fails for a group leader, which keeps the terminal's session: nothing is lost by it.
        let _ = rustix::process::setsid();
        Ok(())
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // The terminal may be gone; then there is nothing to give back.
        let _ = self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_undoes_entering_in_reverse() {
        let (mut enter, mut leave) = (Vec::new(), Vec::new());
        write_enter(&mut enter).unwrap();
        write_leave(&mut leave).unwrap();
        let (enter, leave) = (String::from_utf8(enter).unwrap(), String::from_utf8(leave).unwrap());
        let modes = |text: &str, end: char| -> Vec<String> {
            text.split("\x1b[?").filter_map(|p| p.split_once(end)).map(|(n, _)| n.to_owned()).collect()
        };
        let on = modes(&enter, 'h');
        let mut off: Vec<String> = modes(&leave, 'l');
        off.reverse();
        assert_eq!(on, ["1049", "2004", "1004"], "{enter:?}");
        for mode in &on {
            assert!(off.contains(mode), "{mode} stays on: {leave:?}");
        }
        let order: Vec<&String> = off.iter().filter(|m| on.contains(m)).collect();
        assert_eq!(order, on.iter().collect::<Vec<_>>(), "the order is reversed");
        assert!(enter.contains("\x1b[?25l") && leave.contains("\x1b[?25h"), "the cursor comes back");
        assert!(leave.contains("\x1b[?2026l") && leave.contains("\x1b[?1000l") && leave.contains("\x1b[23;2t"));
    }

    #[test]
    fn a_call_is_one_notification_whatever_the_words() {
        let mut out = Vec::new();
        write_call(&mut out, Bell::Rings, Some(&CleanText::new("1 needs you\x07\x1b]0;x\x07\nmore"))).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.starts_with("\x1b]9;1 needs you") && out.ends_with("\x07\x07"), "{out:?}");
        assert_eq!((out.matches('\x07').count(), out.matches('\x1b').count()), (2, 1), "{out:?}");
        let mut none = Vec::new();
        write_call(&mut none, Bell::Silent, None).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn a_frame_without_a_change_writes_nothing() {
        let (mut reader, out) = std::io::pipe().unwrap();
        let backend = CrosstermBackend::new(Whole { out, frame: Vec::new() });
        let viewport = ratatui::Viewport::Fixed(ratatui::layout::Rect::new(0, 0, 10, 2));
        let mut terminal = Terminal::with_options(backend, ratatui::TerminalOptions { viewport }).unwrap();
        for words in ["", "some", "some", "same", "same"] {
            draw(&mut terminal, &mut |buf| {
                for (cell, c) in buf.content.iter_mut().zip(words.chars()) {
                    cell.set_char(c);
                }
            })
            .unwrap();
        }
        drop(terminal);
        let mut written = String::new();
        std::io::Read::read_to_string(&mut reader, &mut written).unwrap();
        assert_eq!(written.matches("\x1b[?2026h").count(), 2, "{written:?}");
        assert!(written.contains("some") && !written.contains("same"), "{written:?}");
    }

    /// In one test, because what it watches is one for the whole process.
    #[test]
    fn a_panic_of_the_drawing_thread_alone_gives_the_terminal_back() {
        let mut screen = vt100::Parser::new(24, 80, 0);
        screen.process(b"the shell's");
        let mut bytes = Vec::new();
        write_enter(&mut bytes).unwrap();
        bytes.extend_from_slice(MOUSE_ON.as_bytes());
        bytes.extend_from_slice(b"the console's");
        screen.process(&bytes);
        assert!(screen.screen().alternate_screen() && screen.screen().bracketed_paste());
        ENTERED.store(true, Ordering::SeqCst);

        let mut out = Vec::new();
        assert_eq!(heed_panic(Some("engine"), &mut out), Told::Later);
        assert!(out.is_empty(), "a thread that does not draw tears nothing down");

        assert_eq!(heed_panic(Some("main"), &mut out), Told::Now);
        screen.process(&out);
        let after = screen.screen();
        assert!(!after.alternate_screen() && !after.hide_cursor() && !after.bracketed_paste());
        assert_eq!(after.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert_eq!(after.contents(), "the shell's");

        let written = out.len();
        assert_eq!(heed_panic(Some("main"), &mut out), Told::Now);
        assert_eq!(out.len(), written, "a terminal given back is not given back again");
    }
}
