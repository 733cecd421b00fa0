//! Whether a server has the model that an endpoint names, by what it lists.
//!
//! Pure. Not here: asking for the list. Invariant: a list that says nothing (empty, of patterns) is never taken to say no,
//! and what is said is one line of a bounded length, for names are the server's own words.

use crate::domain::text::CleanText;

/// The most names that are repeated: as many as a person reads to find the one that was meant.
const NAMES: usize = 8;

/// The most letters of one of them: paths of snapshots are longer than anybody reads.
const LETTERS: usize = 60;

/// What is said of a model that the server does not list; none where it has it, or the list does not tell.
pub(super) fn missing<'a>(asked: &str, listed: impl IntoIterator<Item = &'a str>) -> Option<CleanText> {
    let listed: Vec<&str> = listed.into_iter().filter(|name| !name.is_empty()).collect();
    // LiteLLM lists patterns where it passes any name on.
    let tells = !listed.is_empty() && !listed.iter().any(|name| name.contains('*'));
    let is_it = |name: &&str| *name == asked || last(name).eq_ignore_ascii_case(last(asked));
    if asked.is_empty() || !tells || listed.iter().any(is_it) {
        return None;
    }
    Some(CleanText::one_line(&format!("the server has no model {}; it has {}", short(asked), names(&listed))))
}

/// The same for a server with one model, which answers to any name: said where that is another model. Names of one model
/// differ by folder, ending, case and the mark of its quantisation.
pub(super) fn another<'a>(asked: &str, has: impl IntoIterator<Item = &'a str>) -> Option<CleanText> {
    let has: Vec<&str> = has.into_iter().filter(|name| !name.is_empty()).collect();
    let first = has.first()?;
    if asked.is_empty() || has.iter().any(|name| is_alike(asked, name)) {
        return None;
    }
    Some(CleanText::one_line(&format!(
        "the server has no model {}; it answers with {}",
        short(asked),
        short(last(first))
    )))
}

fn is_alike(asked: &str, name: &str) -> bool {
    let (asked, name) = (parts(asked), parts(name));
    let (Some(first), Some(other)) = (asked.first(), name.first()) else { return true };
    let within = |a: &[String], b: &[String]| a.iter().all(|part| b.contains(part));
    let (joined, other_joined) = (asked.concat(), name.concat());
    other_joined.contains(&joined)
        || within(&asked, &name)
        || first == other && (within(&name, &asked) || joined.contains(&other_joined))
}

/// The letters and digits of a name, in the words that stand between other signs.
fn parts(name: &str) -> Vec<String> {
    let name = last(name).to_ascii_lowercase();
    let name = name.strip_suffix(".gguf").unwrap_or(&name);
    name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A name without the folders before it.
fn last(name: &str) -> &str {
    name.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default()
}

fn short(name: &str) -> String {
    if name.chars().count() <= LETTERS {
        return name.to_owned();
    }
    name.chars().take(LETTERS).chain(['…']).collect()
}

fn names(listed: &[&str]) -> String {
    let mut told: Vec<String> = listed.iter().take(NAMES).map(|name| short(name)).collect();
    if listed.len() > NAMES {
        told.push(format!("{} more", listed.len() - NAMES));
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_not_listed_is_said_with_those_that_are() {
        let told = |asked, listed: &[&str]| missing(asked, listed.iter().copied()).map(|text| text.to_string());
        let says = told("nope", &["team-model", "slow-model"]);
        assert_eq!(says.as_deref(), Some("the server has no model nope; it has team-model, slow-model"));
        for (asked, listed) in [
            ("slow", &["slow"][..]),
            ("Qwen3-32B", &["Qwen/Qwen3-32B"]),
            ("nope", &[]),
            ("", &["a"]),
            ("gpt-5", &["openai/*"]),
        ] {
            assert_eq!(told(asked, listed), None, "{asked} {listed:?}");
        }
        let long = "x".repeat(500);
        let many: Vec<&str> = std::iter::repeat_n(long.as_str(), 100).collect();
        let says = told("a\nb", &many).unwrap();
        assert!(says.len() < 800 && says.contains("92 more") && !says.contains('\n'), "{says}");
    }

    #[test]
    fn a_server_with_one_model_has_it_under_any_of_its_names() {
        for (asked, has) in [
            ("qwen3-8b", "/models/Qwen3-8B-Q4_K_M.gguf"),
            ("gemma-3-4b-it-Q4_K_M", "ggml-org/gemma-3-4b-it-GGUF:Q4_K_M"),
            ("gptoss", "gpt-oss-120b"),
            ("kitty-memo", "kitty"),
            ("/m/kitty.gguf", "KITTY"),
            ("", "kitty"),
        ] {
            assert_eq!(another(asked, [has]), None, "{asked} {has}");
        }
        for (asked, has) in [("no-such-model", "kitty"), ("qwen3-8b", "qwen3-32b"), ("no-such-model", "/m/model.gguf")]
        {
            let says = another(asked, [has]).unwrap();
            assert!(says.starts_with(&format!("the server has no model {asked}; it answers with ")), "{says}");
        }
        assert_eq!(another("x", []), None);
        assert_eq!(another("beta", ["alpha", "beta"]), None, "any alias will do");
    }
}
