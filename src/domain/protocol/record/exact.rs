//! Reads the lines that Baton itself writes most, byte for byte as it writes them: a whole journal is read several times
//! faster than by a parser that is ready for any JSON.
//!
//! Not here: any other line, also one that means the same; for those there is `serde`. Invariant: what is read here is
//! what `serde` reads from the same line, or nothing.

use super::{OutputCount, Record};
use crate::domain::protocol::{
    AttemptEnd, AttemptId, AttemptOutput, AttemptStarted, Channel, Cut, Event, GoalId, Level, MachineSampled, Message,
    Micros, Name, Part, Recipe, Route, SlotAfter, Speaker, TaskId, TurnEnd, TurnEnded, TurnId, TurnStarted, Usage,
};
use crate::domain::text::CleanText;

/// The record of a line, with or without its line end; none for a line of another shape.
pub(super) fn record(line: &str) -> Option<Record> {
    let mut c = Cursor { rest: line.strip_suffix('\n').unwrap_or(line) };
    c.word("{\"seq\":")?;
    let seq = c.number()?;
    c.word(",\"at\":")?;
    let at = Micros(c.number()?);
    c.word(",\"event\":\"")?;
    let tag = c.plain()?;
    c.word(",\"data\":{\"")?;
    let event = match tag {
        "attempt.output" => c.output()?,
        "task.started" => Event::TaskStarted { task: c.key("task\":\"")?.task()? },
        "task.completed" => {
            let task = c.key("task\":\"")?.task()?;
            Event::TaskCompleted { task, attempt: c.key(",\"attempt\":\"a")?.attempt()? }
        }
        "attempt.started" => c.attempt_started()?,
        "attempt.ended" => {
            let attempt = c.key("attempt\":\"a")?.attempt()?;
            Event::AttemptEnded { attempt, end: c.key(",\"end\":\"")?.end()? }
        }
        "turn.started" => c.turn_started()?,
        "turn.ended" => c.turn_ended()?,
        "turn.progressed" => {
            let turn = c.key("turn\":\"a")?.turn()?;
            let processed = c.key(",\"processed\":")?.number()?;
            Event::TurnProgressed { turn, processed, total: c.key(",\"total\":")?.number()? }
        }
        "slot.freed" => Event::SlotFreed { turn: c.key("turn\":\"a")?.turn()? },
        "machine.sampled" => {
            let total = c.key("total\":")?.number()?;
            let used = c.key(",\"used\":")?.number()?;
            let swap = c.key(",\"swap\":")?.number()?;
            // With more figures than these it is left to serde: at most one a second has them.
            Event::MachineSampled(Box::new(MachineSampled { total, used, swap, ..MachineSampled::default() }))
        }
        _ => return None,
    };
    (c.rest == "}}").then_some(Record { seq, at, event })
}

/// How much the line of an output says; none for any other line, and for one of another shape. What it counts is what
/// [`record`] reads, without the words.
pub(super) fn counted(line: &str) -> Option<OutputCount> {
    let mut c = Cursor { rest: line.strip_suffix('\n').unwrap_or(line) };
    c.word("{\"seq\":")?;
    let seq = c.number()?;
    c.word(",\"at\":")?;
    let at = Micros(c.number()?);
    c.word(",\"event\":\"attempt.output\",\"data\":{\"")?;
    let (turn, channel) = c.output_of()?;
    let bytes = c.bytes_of_text()?;
    let tokens = c.key(",\"tokens\":")?.small()?;
    (c.rest == "}}").then_some(OutputCount { seq, at, turn, channel, bytes, tokens })
}

/// What is left of a line.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// These very bytes.
    fn word(&mut self, word: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    /// The same, to go on with what stands behind them.
    fn key(&mut self, key: &str) -> Option<&mut Self> {
        self.word(key)?;
        Some(self)
    }

    /// A number as JSON has it, short enough that it can't overflow.
    fn number(&mut self) -> Option<u64> {
        let bytes = self.rest.as_bytes();
        let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || digits > 19 || (digits > 1 && bytes[0] == b'0') {
            return None;
        }
        let number = bytes[..digits].iter().fold(0u64, |n, b| n * 10 + u64::from(b - b'0'));
        self.rest = &self.rest[digits..];
        Some(number)
    }

    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    /// A string up to its closing quote that has no escapes: a name, a tag, a digest.
    fn plain(&mut self) -> Option<&'a str> {
        let end = self.rest.bytes().position(|b| b == b'"' || b == b'\\' || b < 0x20)?;
        let text = &self.rest[..end];
        self.rest = self.rest[end..].strip_prefix('"')?;
        Some(text)
    }

    fn name(&mut self) -> Option<Name> {
        Name::new(self.plain()?).ok()
    }

    /// What stands behind `g`, up to the closing quote.
    fn task(&mut self) -> Option<TaskId> {
        self.word("g")?;
        let goal = GoalId(self.small()?);
        self.word("/")?;
        Some(TaskId::new(goal, self.name()?))
    }

    /// What stands behind `a`, up to the closing quote.
    fn attempt(&mut self) -> Option<AttemptId> {
        let attempt = AttemptId(self.number()?);
        self.word("\"")?;
        Some(attempt)
    }

    fn turn(&mut self) -> Option<TurnId> {
        let attempt = AttemptId(self.number()?);
        self.word(".")?;
        let turn = self.small()?;
        self.word("\"")?;
        Some(TurnId { attempt, turn })
    }

    fn end(&mut self) -> Option<AttemptEnd> {
        Some(match self.plain()? {
            "completed" => AttemptEnd::Completed,
            "cancelled" => AttemptEnd::Cancelled,
            "moved" => AttemptEnd::Moved,
            "interrupted" => AttemptEnd::Interrupted,
            _ => return None,
        })
    }

    fn output(&mut self) -> Option<Event> {
        let (turn, channel) = self.output_of()?;
        let text = self.text()?;
        Some(Event::AttemptOutput(AttemptOutput { turn, channel, text, tokens: self.key(",\"tokens\":")?.small()? }))
    }

    /// Whose output it is, up to the opening quote of its text.
    fn output_of(&mut self) -> Option<(TurnId, Channel)> {
        let turn = self.key("turn\":\"a")?.turn()?;
        let channel = match self.key(",\"channel\":\"")?.plain()? {
            "answer" => Channel::Answer,
            "thinking" => Channel::Thinking,
            "tool_call" => Channel::ToolCall,
            _ => return None,
        };
        self.word(",\"text\":\"")?;
        Some((turn, channel))
    }

    fn attempt_started(&mut self) -> Option<Event> {
        let attempt = self.key("attempt\":\"a")?.attempt()?;
        let task = self.key(",\"task\":\"")?.task()?;
        let version = self.key(",\"version\":")?.small()?;
        let agent = self.key(",\"agent\":\"")?.name()?;
        let endpoint = self.key(",\"endpoint\":\"")?.name()?;
        let route = match self.key(",\"route\":\"")?.plain()? {
            "primary" => Route::Primary,
            "fallback" => Route::Fallback,
            _ => return None,
        };
        Some(Event::AttemptStarted(AttemptStarted { attempt, task, version, agent, endpoint, route }))
    }

    fn turn_started(&mut self) -> Option<Event> {
        let turn = self.key("turn\":\"a")?.turn()?;
        let slot = u16::try_from(self.key(",\"slot\":")?.number()?).ok()?;
        let level = match self.key(",\"level\":\"")?.plain()? {
            "low" => Level::Low,
            "medium" => Level::Medium,
            "high" => Level::High,
            _ => return None,
        };
        let max_tokens = self.key(",\"max_tokens\":")?.small()?;
        let recipe = self.key(",\"recipe\":")?.recipe()?;
        Some(Event::TurnStarted(TurnStarted { turn, slot, level, max_tokens, recipe }))
    }

    fn recipe(&mut self) -> Option<Recipe> {
        let mut messages = Vec::with_capacity(2);
        self.list(|c| {
            c.word("{\"role\":\"")?;
            let role = match c.plain()? {
                "system" => Speaker::System,
                "user" => Speaker::User,
                "assistant" => Speaker::Assistant,
                "tool" => Speaker::Tool,
                _ => return None,
            };
            c.word(",\"parts\":")?;
            let mut parts = Vec::new();
            c.list(|c| {
                parts.push(c.part()?);
                Some(())
            })?;
            messages.push(Message { role, parts });
            c.word("}")
        })?;
        Some(messages.into())
    }

    /// Items between brackets, with commas between them.
    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.word("[")?;
        if self.word("]").is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            if self.word(",").is_none() {
                return self.word("]");
            }
        }
    }

    fn part(&mut self) -> Option<Part> {
        if self.word("\"may_ask\"").is_some() {
            return Some(Part::MayAsk);
        }
        self.word("{\"")?;
        let part = match self.plain()? {
            "agent_prompt" => Part::AgentPrompt(self.key(":\"")?.name()?),
            "literal" => match Part::common_literal(self.key(":\"")?.rest) {
                Some((part, rest)) => {
                    self.rest = rest;
                    part
                }
                None => Part::Literal(CleanText::new(&self.text()?)),
            },
            "goal" => {
                let goal = GoalId(self.key(":\"g")?.small()?);
                self.word("\"")?;
                Part::Goal(goal)
            }
            "task_prompt" => Part::TaskPrompt(self.key(":\"")?.task()?),
            "result_of" => {
                let attempt = self.key(":{\"attempt\":\"a")?.attempt()?;
                Part::ResultOf { attempt, cut: self.cut()? }
            }
            "answer_of" => {
                let turn = self.key(":{\"turn\":\"a")?.turn()?;
                Part::AnswerOf { turn, cut: self.cut()? }
            }
            _ => return None,
        };
        self.word("}")?;
        Some(part)
    }

    /// The last field of a piece, with its closing brace.
    fn cut(&mut self) -> Option<Cut> {
        self.word(",\"cut\":")?;
        let cut = if self.word("\"whole\"").is_some() {
            Cut::Whole
        } else {
            let head = self.key("{\"middle\":{\"head\":")?.number()?;
            let tail = self.key(",\"tail\":")?.number()?;
            self.word("}}")?;
            Cut::Middle { head, tail }
        };
        self.word("}")?;
        Some(cut)
    }

    fn turn_ended(&mut self) -> Option<Event> {
        let turn = self.key("turn\":\"a")?.turn()?;
        let end = match self.key(",\"end\":\"")?.plain()? {
            "stop" => TurnEnd::Stop,
            "length" => TurnEnd::Length,
            "tool_calls" => TurnEnd::ToolCalls,
            "cancelled" => TurnEnd::Cancelled,
            _ => return None,
        };
        let slot = match self.key(",\"slot\":\"")?.plain()? {
            "free" => SlotAfter::Free,
            "draining" => SlotAfter::Draining,
            _ => return None,
        };
        let mut usage = Usage::default();
        self.word(",\"usage\":{")?;
        let fields: [(&str, &mut u64); 6] = [
            ("\"prompt_tokens\":", &mut usage.prompt_tokens),
            ("\"cached_tokens\":", &mut usage.cached_tokens),
            ("\"output_tokens\":", &mut usage.output_tokens),
            ("\"first_token_us\":", &mut usage.first_token_us),
            ("\"generation_us\":", &mut usage.generation_us),
            ("\"queue_us\":", &mut usage.queue_us),
        ];
        let mut between = "";
        for (key, to) in fields {
            let Some(rest) = self.rest.strip_prefix(between).and_then(|rest| rest.strip_prefix(key)) else { continue };
            self.rest = rest;
            *to = self.number()?;
            between = ",";
        }
        self.word("}")?;
        let prompt_digest = match self.word(",\"prompt_digest\":\"") {
            Some(()) => self.plain()?.to_owned(),
            None => String::new(),
        };
        Some(Event::TurnEnded(Box::new(TurnEnded { turn, end, slot, usage, prompt_digest })))
    }

    /// A string up to its closing quote.
    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let at = memchr::memchr2(b'"', b'\\', self.rest.as_bytes())?;
            let (piece, rest) = self.rest.split_at(at);
            // All of it is looked at, without a branch for each byte: there is hardly ever one.
            if piece.bytes().fold(false, |any, b| any | (b < 0x20)) {
                return None;
            }
            self.rest = &rest[1..];
            let ends = rest.starts_with('"');
            if text.is_empty() {
                // Without escapes there is exactly this; with them hardly more than what is left of the line.
                text.reserve_exact(if ends { piece.len() } else { piece.len() + rest.len() });
            }
            text.push_str(piece);
            if ends {
                return Some(text);
            }
            text.push(self.escaped()?);
        }
    }

    /// How many bytes the string up to its closing quote has: as [`Cursor::text`] reads it.
    fn bytes_of_text(&mut self) -> Option<u64> {
        let mut bytes = 0;
        loop {
            let at = memchr::memchr2(b'"', b'\\', self.rest.as_bytes())?;
            let (piece, rest) = self.rest.split_at(at);
            if piece.bytes().fold(false, |any, b| any | (b < 0x20)) {
                return None;
            }
            bytes += piece.len() as u64;
            self.rest = &rest[1..];
            if rest.starts_with('"') {
                return Some(bytes);
            }
            bytes += self.escaped()?.len_utf8() as u64;
        }
    }

    /// What stands behind a backslash.
    fn escaped(&mut self) -> Option<char> {
        let letter = *self.rest.as_bytes().first()?;
        let c = match letter {
            b'n' => '\n',
            b'"' => '"',
            b'\\' => '\\',
            b't' => '\t',
            b'r' => '\r',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let digits = self.rest.get(1..5).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
                let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
                self.rest = &self.rest[5..];
                return Some(c);
            }
            _ => return None,
        };
        self.rest = &self.rest[1..];
        Some(c)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One of each piece.
    const RECIPE: &str = r#"[{"role":"system","parts":[{"agent_prompt":"x"}]},{"role":"user","parts":["may_ask",{"literal":"é\n\"\\"},{"goal":"g1"},{"task_prompt":"g1/x"},{"result_of":{"attempt":"a1","cut":"whole"}},{"answer_of":{"turn":"a2.1","cut":{"middle":{"head":1,"tail":2}}}}]},{"role":"assistant","parts":[]},{"role":"tool","parts":[]}]"#;

    fn by_serde(line: &str) -> Option<Record> {
        serde_json::from_str(line).ok()
    }

    fn turns() -> impl Strategy<Value = TurnId> {
        (any::<u64>(), any::<u32>()).prop_map(|(attempt, turn)| TurnId { attempt: AttemptId(attempt), turn })
    }

    fn tasks() -> impl Strategy<Value = TaskId> {
        (any::<u32>(), "[A-Za-z0-9._-]{1,64}").prop_map(|(goal, name)| TaskId::new(GoalId(goal), Name::slug(&name)))
    }

    fn events() -> impl Strategy<Value = Event> {
        let channel = prop_oneof![Just(Channel::Answer), Just(Channel::Thinking), Just(Channel::ToolCall)];
        let end = prop_oneof![Just(AttemptEnd::Completed), Just(AttemptEnd::Moved), Just(AttemptEnd::Interrupted)];
        let stop = prop_oneof![Just(TurnEnd::Stop), Just(TurnEnd::Length), Just(TurnEnd::Cancelled)];
        let slot = prop_oneof![Just(SlotAfter::Free), Just(SlotAfter::Draining)];
        let count = prop_oneof![Just(0u64), any::<u64>(), 1..5000u64];
        prop_oneof![
            (turns(), channel, any::<String>(), any::<u32>()).prop_map(|(turn, channel, text, tokens)| {
                Event::AttemptOutput(AttemptOutput { turn, channel, text, tokens })
            }),
            tasks().prop_map(|task| Event::TaskStarted { task }),
            (tasks(), any::<u64>()).prop_map(|(task, a)| Event::TaskCompleted { task, attempt: AttemptId(a) }),
            (any::<u64>(), end).prop_map(|(a, end)| Event::AttemptEnded { attempt: AttemptId(a), end }),
            (tasks(), any::<u64>(), any::<u32>()).prop_map(|(task, a, version)| {
                let (agent, endpoint) = (task.name.clone(), Name::slug("mini"));
                let route = if version % 2 == 0 { Route::Primary } else { Route::Fallback };
                Event::AttemptStarted(AttemptStarted { attempt: AttemptId(a), task, version, agent, endpoint, route })
            }),
            (turns(), any::<u16>(), any::<u32>()).prop_map(|(turn, slot, max_tokens)| {
                let (level, recipe) = (Level::High, serde_json::from_str(RECIPE).unwrap());
                Event::TurnStarted(TurnStarted { turn, slot, level, max_tokens, recipe })
            }),
            (turns(), stop, slot, [count.clone(), count.clone(), count], "[0-9a-f]{0,16}").prop_map(
                |(turn, end, slot, [a, b, c], prompt_digest)| {
                    let usage = Usage { prompt_tokens: a, first_token_us: b, queue_us: c, ..Usage::default() };
                    Event::TurnEnded(Box::new(TurnEnded { turn, end, slot, usage, prompt_digest }))
                }
            ),
            (turns(), any::<u64>(), any::<u64>()).prop_map(|(turn, processed, total)| Event::TurnProgressed {
                turn,
                processed,
                total
            }),
            turns().prop_map(|turn| Event::SlotFreed { turn }),
            (any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(total, used, swap)| {
                let sample = MachineSampled { total, used, swap, ..MachineSampled::default() };
                Event::MachineSampled(Box::new(sample))
            }),
        ]
    }

    #[test]
    fn ordinary_lines_are_read_here_and_not_left_to_serde() {
        let lines = [
            r#"{"seq":7,"at":12,"event":"attempt.output","data":{"turn":"a1.1","channel":"answer","text":"naïve \"x\"\n\u001b[31m\\","tokens":3}}"#,
            r#"{"seq":7,"at":12,"event":"task.started","data":{"task":"g1/a"}}"#,
            r#"{"seq":7,"at":12,"event":"task.completed","data":{"task":"g1/a","attempt":"a2"}}"#,
            r#"{"seq":7,"at":12,"event":"attempt.started","data":{"attempt":"a1","task":"g1/a","version":1,"agent":"x","endpoint":"y","route":"primary"}}"#,
            r#"{"seq":7,"at":12,"event":"attempt.ended","data":{"attempt":"a1","end":"completed"}}"#,
            r#"{"seq":7,"at":12,"event":"turn.started","data":{"turn":"a1.1","slot":0,"level":"low","max_tokens":9,"recipe":[]}}"#,
            r#"{"seq":7,"at":12,"event":"turn.ended","data":{"turn":"a1.1","end":"stop","slot":"free","usage":{"prompt_tokens":3,"output_tokens":5},"prompt_digest":"00"}}"#,
            r#"{"seq":7,"at":12,"event":"turn.ended","data":{"turn":"a1.1","end":"stop","slot":"free","usage":{}}}"#,
            r#"{"seq":7,"at":12,"event":"turn.progressed","data":{"turn":"a1.1","processed":1,"total":2}}"#,
            r#"{"seq":7,"at":12,"event":"slot.freed","data":{"turn":"a1.1"}}"#,
            r#"{"seq":7,"at":12,"event":"machine.sampled","data":{"total":1,"used":2,"swap":0}}"#,
        ];
        let asked = lines[5].replace("\"recipe\":[]", &format!("\"recipe\":{RECIPE}"));
        for line in lines.into_iter().chain([asked.as_str()]) {
            let found = record(line);
            assert!(found.is_some(), "{line}");
            assert_eq!(found, by_serde(line), "{line}");
            assert_eq!(serde_json::to_string(&found.unwrap()).unwrap(), line, "it is the form that is written");
            assert_eq!(record(&format!("{line}\n")), by_serde(line));
            assert_eq!(counted(line), record(line).as_ref().and_then(OutputCount::of), "{line}");
        }
    }

    #[test]
    fn lines_of_another_shape_are_left_to_serde() {
        let lines = [
            r#"{"seq":7,"at":12,"event":"session.paused","data":{}}"#,
            r#"{"seq": 7,"at":12,"event":"task.started","data":{"task":"g1/a"}}"#,
            r#"{"seq":07,"at":12,"event":"task.started","data":{"task":"g1/a"}}"#,
            r#"{"seq":7,"at":12,"event":"task.started","data":{"task":"g1/a"}} "#,
            r#"{"seq":7,"at":12,"event":"task.started","data":{"task":"g1/a","x":1}}"#,
            r#"{"seq":7,"at":12,"event":"attempt.output","data":{"turn":"a1.1","channel":"answer","text":"\ud83d\ude00","tokens":3}}"#,
            "{\"seq\":7,\"at\":12,\"event\":\"attempt.output\",\"data\":{\"turn\":\"a1.1\",\"channel\":\"answer\",\"text\":\"\t\",\"tokens\":3}}",
        ];
        for line in lines {
            assert_eq!(record(line), None, "{line}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_reads_what_serde_reads(seq in any::<u64>(), at in any::<u64>(), event in events()) {
            let written = Record { seq, at: Micros(at), event };
            let line = serde_json::to_string(&written).unwrap();
            if let Some(found) = record(&line) {
                prop_assert_eq!(&found, &written);
            }
            prop_assert_eq!(counted(&line), record(&line).as_ref().and_then(OutputCount::of));
            prop_assert_eq!(Record::from_json(&line).unwrap(), written);
        }

        #[test]
        fn of_a_line_that_was_changed_it_reads_what_serde_reads_or_nothing(
            event in events(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<char>(), 0..3u8), 1..4),
        ) {
            let written = Record { seq: 3, at: Micros(4), event };
            let mut line: Vec<char> = serde_json::to_string(&written).unwrap().chars().collect();
            for (at, with, how) in changes {
                let at = at.index(line.len());
                match how {
                    0 => line[at] = with,
                    1 => line.insert(at, with),
                    _ => drop(line.remove(at)),
                }
            }
            let line: String = line.into_iter().collect();
            if let Some(found) = record(&line) {
                prop_assert_eq!(Some(found), by_serde(&line));
            }
            prop_assert_eq!(counted(&line), record(&line).as_ref().and_then(OutputCount::of));
        }
    }
}
