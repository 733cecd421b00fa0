//! A plan that a model is writing, as a person reads it: a numbered line a task, as far as it has come.
//!
//! The model writes JSON; this reads what is there of it, leniently, and tells it as Markdown. Not here: whether the
//! plan is valid, and what becomes of it (`domain::plan`): this is only what the pane shows while it grows.

use std::fmt::Write as _;

/// One task, as far as it was written.
#[derive(Debug, Default, PartialEq, Eq)]
struct Line {
    id: String,
    title: String,
    agent: String,
    prompt: String,
    needs: Vec<String>,
}

/// What is open around the place that is read.
enum Open {
    Object { key: String, side: Side, kind: Kind },
    Array { name: String },
}

/// On which side of the colon.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Key,
    Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Task,
    Other,
}

/// The plan in `clean` as Markdown; none when it does not look like one, so that it is shown as it is.
pub(super) fn told(clean: &str) -> Option<String> {
    let text = clean.trim_start();
    if text.is_empty() {
        return None;
    }
    let text = text.strip_prefix("```").map_or(text, |rest| rest.trim_start_matches(char::is_alphanumeric));
    let text = text.trim_start();
    if !text.is_empty() && !text.starts_with(['{', '[']) {
        return None;
    }
    let lines = read(text);
    if lines.is_empty() {
        return Some("*The first task is being written.*".to_owned());
    }
    let mut out = String::new();
    for (n, line) in lines.iter().enumerate() {
        let name = [&line.title, &line.id].into_iter().find(|s| !s.is_empty()).map_or("…", |s| s.as_str());
        let _ = write!(out, "{}. **{}**", n + 1, plain(name));
        if !line.agent.is_empty() {
            let _ = write!(out, " · {}", plain(&line.agent));
        }
        let number = |need: &String| match lines.iter().position(|l| l.id == *need) {
            Some(at) => (at + 1).to_string(),
            None => plain(need),
        };
        if !line.needs.is_empty() {
            let _ = write!(out, " · after {}", line.needs.iter().map(number).collect::<Vec<_>>().join(", "));
        }
        let prompt = plain(&line.prompt);
        if !prompt.is_empty() {
            // Two spaces at the end of a line break it within the item.
            let _ = write!(out, "  \n   {prompt}");
        }
        out.push('\n');
    }
    Some(out)
}

/// One line in which nothing is Markdown.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        for c in word.chars() {
            if c.is_ascii_punctuation() && !matches!(c, ',' | ';' | ':' | '\'' | '"' | '(' | ')' | '/' | '?' | '%') {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

fn read(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '{' => {
                let kind = match open.last() {
                    Some(Open::Array { name }) if name == "tasks" || open.len() == 1 => Kind::Task,
                    _ => Kind::Other,
                };
                if kind == Kind::Task {
                    lines.push(Line::default());
                }
                open.push(Open::Object { key: String::new(), side: Side::Key, kind });
            }
            '[' => {
                let name = match open.last() {
                    Some(Open::Object { key, .. }) => key.clone(),
                    _ => String::new(),
                };
                open.push(Open::Array { name });
            }
            '}' | ']' => {
                open.pop();
                if open.is_empty() {
                    break;
                }
            }
            ':' | ',' => {
                if let Some(Open::Object { side, .. }) = open.last_mut() {
                    *side = if c == ':' { Side::Value } else { Side::Key };
                }
            }
            '"' => {
                let said = string(&mut chars);
                take(said, &mut open, &mut lines);
            }
            _ => {}
        }
    }
    lines
}

/// Puts a string where it belongs.
fn take(said: String, open: &mut [Open], lines: &mut [Line]) {
    match open {
        [.., Open::Object { kind: Kind::Task, .. }, Open::Array { name }] if name == "needs" => {
            if let Some(line) = lines.last_mut() {
                line.needs.push(said);
            }
        }
        [.., Open::Object { key, side: Side::Key, .. }] => *key = said,
        [.., Open::Object { key, kind: Kind::Task, .. }] => {
            let Some(line) = lines.last_mut() else { return };
            match key.as_str() {
                "id" => line.id = said,
                "title" => line.title = said,
                "agent" => line.agent = said,
                "prompt" => line.prompt = said,
                _ => {}
            }
        }
        _ => {}
    }
}

/// The string behind a quotation mark, up to the next one or to where the text ends for now.
fn string(chars: &mut std::str::Chars<'_>) -> String {
    let mut out = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('n' | 't' | 'r') => out.push(' '),
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    out.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
                }
                Some(other) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    // An escape may have made what cleaning takes out.
    crate::domain::text::CleanText::one_line(&out).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"{"goal": "x", "tasks": [
        {"agent": "analyst", "id": "criteria", "needs": [], "prompt": "Set out the *criteria*.", "title": "Criteria"},
        {"agent": "researcher", "id": "first", "needs": ["criteria", "elsewhere"], "budget": {"title": "no"},
         "prompt": "Say \"why\"\nand how", "title": "The first"}]}"#;

    #[test]
    fn a_whole_plan_is_a_list() {
        let told = told(PLAN).unwrap();
        assert_eq!(
            told,
            "1. **Criteria** · analyst  \n   Set out the \\*criteria\\*\\.\n\
             2. **The first** · researcher · after 1, elsewhere  \n   Say \"why\" and how\n"
        );
    }

    #[test]
    fn every_beginning_of_a_plan_is_told() {
        for (at, _) in PLAN.char_indices().skip(1) {
            let told = told(&PLAN[..at]).unwrap();
            assert!(!told.contains(['{', '[']), "{told}");
        }
        assert!(told("```json\n{\"tasks\": [{\"id\": \"a\"").unwrap().starts_with("1. **a**"));
        assert!(told("[{\"title\": \"Half a ti").unwrap().starts_with("1. **Half a ti**"));
        assert_eq!(told("I would first look at the samples."), None);
        assert_eq!(told("```\nnot json"), None);
    }

    #[test]
    fn escapes_bring_nothing_in() {
        let told = told(r#"[{"title": "a\u001b[31mb\u202ec"}]"#).unwrap();
        assert!(!told.contains(['\u{1b}', '\u{202e}']), "{told:?}");
    }
}
