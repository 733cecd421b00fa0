//! What the loop does outside itself: commands, files, the clipboard, the editor, suspension, and the parting from a
//! terminal after which the work goes on without one.

use super::{Console, ConsoleExit, Course, Parted};
use crate::domain::protocol::{AttemptId, Channel, Command, TaskId, TurnId};
use crate::domain::source::text_of;
use crate::domain::state::{Gear, GoalPhase, State, Status, TaskIx};
use crate::domain::text::CleanText;
use crate::engine::client::{Client, Leaving};
use crate::interface::tui::effect;
use crate::interface::tui::frame::Wish;
use crate::interface::tui::launcher;
use crate::interface::tui::log::Entry;
use crate::interface::tui::model::discovery::Offer;
use crate::interface::tui::model::{Leave, Tone, Ui, UiEffect};
use crate::interface::tui::terminal::Stage;

impl<C: Client, S: Stage> Console<C, S> {
    pub(super) async fn perform_all(&mut self, effects: Vec<UiEffect>) {
        for effect in effects {
            self.perform(effect).await;
        }
        self.keep_looks();
    }

    pub(super) async fn perform(&mut self, effect: UiEffect) {
        let done = match effect {
            UiEffect::Send(command) if self.refuses(&command) => Ok(()),
            UiEffect::Send(command) => {
                if let Err(error) = self.client.send(command) {
                    self.say((error.to_string().into(), Tone::Warning));
                    self.ui.refused(&error.to_string(), self.now());
                }
                Ok(())
            }
            UiEffect::Files(wish) => {
                self.ask_files(wish);
                Ok(())
            }
            UiEffect::Copy(text) => self.copy(&text),
            UiEffect::CopyAnswer(attempt) => {
                let text = self.answer(attempt).await;
                self.copy(&text)
            }
            UiEffect::CopyRecord(seq) => match self.record(seq) {
                Some(text) => self.copy(&text),
                None => {
                    let words = "the text of an output is copied with its task: enter opens it";
                    self.say((CleanText::from_static(words), Tone::Warning));
                    Ok(())
                }
            },
            UiEffect::CopyText(attempt, channel) => {
                let (state, transcripts, _) = self.eyes();
                let turns = state.attempt(attempt).map(|a| state.turns_of(a, channel)).unwrap_or_default();
                let text = transcripts.text(&turns, channel);
                self.copy(&text)
            }
            UiEffect::CopySelection => self.copy_selection(),
            UiEffect::Save { name, text } => {
                self.say(effect::save(&self.options.working_folder, &name, &text));
                Ok(())
            }
            UiEffect::SaveAnswer { attempt, name } => {
                let text = self.answer(attempt).await;
                self.say(effect::save(&self.options.working_folder, &name, &text));
                Ok(())
            }
            UiEffect::ExternalEditor { name, text } => self.edit_outside(&name, &text).await,
            UiEffect::EditResult(task) => {
                self.edit_result(&task).await;
                Ok(())
            }
            UiEffect::Suspend => self.suspend(),
            UiEffect::Detach => {
                // Given back while it is still there; then the work goes on without it.
                let left = self.stage.leave();
                self.part();
                left
            }
            UiEffect::Quit(leave) => {
                self.quit(leave);
                Ok(())
            }
            UiEffect::Redraw => {
                self.policy.want(Wish::Key);
                self.stage.clear()
            }
            UiEffect::ToggleMouse => {
                self.keep_mouse();
                self.stage.mouse(self.eyes().2.mouse)
            }
            UiEffect::NextTheme => {
                self.next_theme();
                Ok(())
            }
            UiEffect::ChooseTheme => {
                self.choose_theme();
                Ok(())
            }
            UiEffect::PreviewTheme(name) => {
                self.preview_theme(&name);
                Ok(())
            }
            UiEffect::KeepTheme(name) => {
                self.keep_theme(&name);
                Ok(())
            }
            UiEffect::KeepFleet => {
                self.keep_fleet();
                Ok(())
            }
            UiEffect::ListSessions => {
                self.desk.list();
                Ok(())
            }
            UiEffect::SearchSessions { number, text, sessions } => {
                self.desk.search(number, text, sessions);
                Ok(())
            }
            UiEffect::StopSearch => {
                self.desk.stop_search();
                Ok(())
            }
            UiEffect::FollowLog(source) => {
                self.follow_log(source);
                Ok(())
            }
            UiEffect::StopLog => {
                self.logs.stop();
                Ok(())
            }
            UiEffect::DeleteSession(id) => {
                self.delete_session(&id);
                Ok(())
            }
            UiEffect::ForkSession(id) => {
                self.desk.fork(id);
                Ok(())
            }
            UiEffect::SaveSession(id, form) => {
                self.save_session(id, form);
                Ok(())
            }
            UiEffect::Travel(travel) => {
                self.travel(travel);
                Ok(())
            }
            UiEffect::Fork(seq) => {
                self.fork(seq).await;
                Ok(())
            }
            UiEffect::Go(next) => {
                self.end(ConsoleExit::Next(next));
                Ok(())
            }
            UiEffect::Notice(text) => {
                self.say((text, Tone::Plain));
                Ok(())
            }
            // Taken care of before they come here.
            UiEffect::Open(_) | UiEffect::Show(_) | UiEffect::CloseEditor(_) => Ok(()),
        };
        self.policy.want(Wish::Key);
        if done.is_err() {
            self.part();
        }
    }

    fn say(&mut self, (text, tone): effect::Said) {
        let now = self.now();
        self.seen().say(text, tone, now);
    }

    /// Whether a command can't be given from here; then it is said why.
    fn refuses(&mut self, command: &Command) -> bool {
        let (state, _, ui) = self.eyes();
        let Some(words) = ui.barred(state) else { return false };
        if self.away.moved.is_none() && Ui::is_of_control(command) {
            return false;
        }
        self.say((words, Tone::Plain));
        true
    }

    /// The whole answer of an attempt: raw into files, clean where a terminal or another program pastes it. What is no
    /// longer at hand is read back from the journal.
    async fn answer(&mut self, attempt: AttemptId) -> String {
        match self.whole_answer(attempt).await {
            Some(text) => text,
            None => {
                let words = "the beginning is gone from memory and could not be read back: this is the rest";
                self.say((CleanText::from_static(words), Tone::Warning));
                let (state, transcripts, _) = self.eyes();
                transcripts.text(&answer_turns(state, attempt), Channel::Answer)
            }
        }
    }

    /// The same; none when its beginning can't be read back.
    async fn whole_answer(&mut self, attempt: AttemptId) -> Option<String> {
        let (state, transcripts, _) = self.eyes();
        let turns = answer_turns(state, attempt);
        let all_there = self.away.moved.is_none() || turns.iter().all(|t| transcripts.count(t.attempt) > 0);
        if turns.iter().all(|t| transcripts.gone(t.attempt) == 0) && all_there {
            return Some(transcripts.text(&turns, Channel::Answer));
        }
        self.say((CleanText::from_static("reading the journal"), Tone::Plain));
        // A frame that can't be drawn is met by the next one.
        let _ = self.draw();
        self.client.text(turns, Channel::Answer).await
    }

    /// Keeps the fleet that was found. A small file on this machine: nothing waits for it but the key that asked.
    fn keep_fleet(&mut self) {
        let kept = self.options.keeps.as_ref().map(|keeps| keeps());
        match kept {
            Some(Ok(path)) => {
                let words = format!("kept in {path}; the next start uses it: look it over");
                self.ui.discovery.offer = Offer::Kept(path);
                self.say((CleanText::one_line(&words), Tone::Plain));
            }
            Some(Err(words)) => self.say((words, Tone::Warning)),
            None => {
                self.say((CleanText::from_static("it can't be kept from here; `baton fleet init` can"), Tone::Plain))
            }
        }
    }

    fn copy_selection(&mut self) -> std::io::Result<()> {
        // Keys that came together are met by the view first: it knows the rows.
        self.draw()?;
        let (state, run, caches) = match self.away.moved.as_deref_mut() {
            Some(moved) => (&moved.state, &mut moved.ui.run, &mut moved.caches),
            None => (&self.state, &mut self.ui.run, &mut self.caches),
        };
        let text = crate::interface::tui::view::run::selected(state, run, &mut caches.run);
        run.end_selection();
        match text {
            Some(text) => self.copy(&text),
            None => {
                self.say((CleanText::from_static("there is no text in what is selected"), Tone::Plain));
                Ok(())
            }
        }
    }

    /// The record at a place as JSON, where all of it is kept.
    fn record(&self, seq: u64) -> Option<String> {
        match self.eyes().1.log().get(seq)? {
            Entry::Whole(record) => serde_json::to_string_pretty(record).ok(),
            Entry::Output { .. } => None,
        }
    }

    fn copy(&mut self, text: &str) -> std::io::Result<()> {
        let clean = CleanText::new(text);
        if let Some(program) = effect::native_clipboard(&clean) {
            self.say((format!("copied {} to the clipboard ({program})", effect::amount(&clean)).into(), Tone::Plain));
            return Ok(());
        }
        let (part, said) = effect::for_clipboard(&clean);
        let written = self.stage.clipboard(part);
        self.say(said);
        written
    }

    pub(super) fn suspend(&mut self) -> std::io::Result<()> {
        self.stage.leave()?;
        let stopped = self.stage.suspend();
        self.resumed = Some(tokio::time::Instant::now());
        self.stage.enter()?;
        if let Err(error) = stopped {
            self.say((format!("could not suspend: {error}").into(), Tone::Warning));
        }
        Ok(())
    }

    fn quit(&mut self, leave: Leave) {
        match leave {
            Leave::AfterRunning if self.state.running().len() > 0 => {
                // Paused, so that a slot that comes free is not filled again.
                let sent =
                    if self.state.gear == Gear::Paused { Ok(()) } else { self.client.send(Command::Pause).map(|_| ()) };
                match sent {
                    Ok(()) => {
                        self.course = Course::WhenIdle;
                        let text = "finishing what runs, then quitting; q asks again";
                        self.say((CleanText::from_static(text), Tone::Plain));
                    }
                    Err(error) => self.say((error.to_string().into(), Tone::Warning)),
                }
            }
            Leave::Idle | Leave::AfterRunning | Leave::CancelAll | Leave::Interrupted => {
                if let (Course::Ending(..), Leave::Interrupted) = (&self.course, leave) {
                    self.course = Course::Over(ConsoleExit::Left(leave));
                } else {
                    self.end(ConsoleExit::Left(leave));
                }
            }
        }
    }

    /// Opens the result of a task in the text editor: its text is here.
    async fn edit_result(&mut self, task: &TaskId) {
        let Some(attempt) = self.state.task_by_id(task).and_then(|t| t.result) else {
            self.say((CleanText::from_static("it has no result to edit yet"), Tone::Plain));
            return;
        };
        let Some(text) = self.whole_answer(attempt).await else {
            let words = "its beginning could not be read back from the journal, so it can't be edited whole";
            self.say((CleanText::from_static(words), Tone::Warning));
            return;
        };
        self.ui.edit_result(task, &text, &self.state, self.client.now());
    }

    /// Opens a text in the operator's editor; meanwhile the terminal is the editor's, and the work goes on.
    async fn edit_outside(&mut self, name: &str, text: &str) -> std::io::Result<()> {
        let path = self.options.state_folder.join(format!("edit-{}-{name}", std::process::id()));
        // One that a crash left, of a process that had the same number.
        let _ = std::fs::remove_file(&path);
        let written = std::fs::create_dir_all(&self.options.state_folder).and_then(|()| write_private(&path, text));
        if let Err(error) = written {
            self.say((format!("{} could not be written: {error}", path.display()).into(), Tone::Warning));
            return Ok(());
        }
        let words = effect::editor();
        let (program, args) = words.split_first().map_or(("vi", &[][..]), |(p, a)| (p.as_str(), a));
        // Dropped, not paused: two readers of one terminal take each other's keys.
        self.events = None;
        self.stage.leave()?;
        let status = tokio::process::Command::new(program).args(args).arg(&path).status().await;
        self.stage.enter()?;
        self.events = Some(self.stage.events());
        let after = std::fs::read(&path).map(|bytes| text_of(bytes, &path.display().to_string()));
        if !matches!(after, Ok(Err(_))) {
            // A copy that can't be removed lies in the state folder and does no harm.
            let _ = std::fs::remove_file(&path);
        }
        match (status, after) {
            (Err(error), _) => {
                self.say((format!("{program} did not start: {error}; set $VISUAL or $EDITOR").into(), Tone::Warning));
            }
            (Ok(status), _) if !status.success() => {
                self.say((format!("{program} ended with {status}; the text is as it was").into(), Tone::Warning));
            }
            (Ok(_), Err(error)) => {
                self.say((format!("the edited text could not be read: {error}").into(), Tone::Warning));
            }
            // What was written is kept: as it is told, it can still be turned into text.
            (Ok(_), Ok(Err(error))) => {
                let words = format!("{}: {}; the text is as it was; {}", path.display(), error.what, error.mend);
                self.say((CleanText::one_line(&words), Tone::Warning));
            }
            (Ok(_), Ok(Ok(after))) => self.ui.edited_outside(&after, &self.state),
        }
        Ok(())
    }

    /// Parts from the terminal. The loop goes on without one until nothing is left that can go on by itself.
    pub(super) fn part(&mut self) {
        if self.parted == Parted::Yes {
            return;
        }
        self.flush_looks();
        // First the descriptors, then the reader of them: the other way round it spins on a dead terminal.
        if let Err(error) = self.stage.part() {
            tracing::error!(%error, "parting from the terminal");
        }
        self.events = None;
        // Nobody reads it.
        self.logs.stop();
        self.parted = Parted::Yes;
        launcher::tell_detached();
        if self.client.leaving() == Leaving::OnlyCloses {
            // What is watched lives elsewhere, and goes on there.
            self.end(ConsoleExit::Detached);
            return;
        }
        self.log_what_goes_on();
        self.end_if_all_is_done();
    }

    /// Without a terminal, the log alone can say what keeps the process alive: tasks may wait for a server for ever.
    fn log_what_goes_on(&self) {
        let progress = self.state.progress(None);
        let (running, waiting) = (progress.running, progress.waiting);
        tracing::info!(running, waiting, "parted from the terminal; the work goes on without it until its end");
    }

    /// Without a terminal: ends the session when nothing is left that can go on by itself.
    pub(super) fn end_if_all_is_done(&mut self) {
        if self.parted == Parted::No {
            return;
        }
        // Nobody looks here any more: who attaches next has control. (Again each time: a client may come late.)
        self.client.part();
        let on = matches!(self.course, Course::On | Course::WhenIdle);
        if on && self.waiting.is_empty() && !self.goes_on() {
            self.end(ConsoleExit::Detached);
        }
    }

    /// Whether something runs or will without the operator, waits for a review, or is watched from elsewhere.
    fn goes_on(&self) -> bool {
        let now = self.client.now();
        let drafted = self.state.goals().iter().any(|g| g.phase == GoalPhase::Draft);
        if self.state.seq == 0 || self.state.running().len() > 0 || drafted || !self.state.viewers.is_empty() {
            return true;
        }
        let will = |(i, task): (usize, &crate::domain::state::Task)| {
            let running = self.state.goal(task.id.goal).is_some_and(|g| !matches!(g.phase, GoalPhase::Draft));
            let ix = TaskIx(u32::try_from(i).unwrap_or(u32::MAX));
            running && !task.removed && matches!(self.state.status(ix, now), Status::Ready | Status::Waiting)
        };
        self.state.gear == Gear::Running && self.state.tasks().iter().enumerate().any(will)
    }
}

/// Writes a file that is for this user alone; never through a link, or over what is there.
fn write_private(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// The turns whose answers, joined, are what an attempt answered.
fn answer_turns(state: &State, attempt: AttemptId) -> Vec<TurnId> {
    state.attempt(attempt).map(|a| state.turns_of(a, Channel::Answer)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::write_private;

    #[test]
    fn what_an_editor_is_given_is_for_this_user_alone_and_goes_over_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edit-1-answer.md");
        write_private(&path, "the answer").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let link = folder.path().join("edit-2-answer.md");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &link).unwrap();
        assert!(write_private(&path, "another").is_err() && write_private(&link, "another").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "the answer");
        assert!(!folder.path().join("elsewhere").exists());
    }
}
