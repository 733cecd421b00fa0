//! The figures that servers tell along with an error: how long to wait, how long the prompt was, how much fits.
//!
//! Not here: whether they count (`kind`). Sources: RFC 9110 (Retry-After), the headers of OpenAI and its like, and the
//! sentences of llama.cpp, Ollama, vLLM, SGLang, LM Studio, TGI and Anthropic.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::domain::protocol::Told;

/// More tokens than any prompt or context has.
const SENSELESS: u64 = 1_000_000_000;

/// The wait that the head of an answer asks for, by what `header` says and the time it is `now`; none where it asks for
/// none.
pub(in crate::engine::providers) fn wait_of<'a>(
    header: impl Fn(&str) -> Option<&'a str>,
    now: SystemTime,
) -> Option<Duration> {
    if let Some(wait) = header("retry-after-ms").and_then(|ms| millis(ms.trim().parse().ok()?)) {
        return Some(wait);
    }
    // A date is of the server's clock, which may differ from this one.
    let now = header("date").and_then(date).unwrap_or(now);
    if let Some(after) = header("retry-after") {
        return duration(after).or_else(|| Some(date(after)?.duration_since(now).unwrap_or_default()));
    }
    // The limit that was reached is the one of which nothing remains; untold, it may be any.
    ["", "-requests", "-tokens"]
        .iter()
        .filter(|what| {
            let left = header(&format!("x-ratelimit-remaining{what}")).and_then(|left| left.trim().parse::<f64>().ok());
            left.is_none_or(|left| left < 1.0)
        })
        .filter_map(|what| {
            let reset = header(&format!("x-ratelimit-reset{what}"))?;
            // A time of day, where it is too long for a wait.
            let epoch = reset.trim().parse::<f64>().ok().filter(|at| *at > 1e8);
            match epoch.map(|at| if at > 1e12 { at / 1000.0 } else { at }) {
                Some(at) => (UNIX_EPOCH + Duration::try_from_secs_f64(at).ok()?).duration_since(now).ok(),
                None => duration(reset),
            }
        })
        .max()
}

/// The wait asked for in a sentence, which is in lower case.
pub(super) fn wait_in(low: &str) -> Option<Duration> {
    [
        "try again in ",
        "try again after ",
        "retry in ",
        "retry after ",
        "retrying in ",
        "retry-after: ",
        "please wait ",
        "wait for ",
    ]
    .iter()
    .find_map(|phrase| duration(&low[low.find(phrase)? + phrase.len()..]))
}

/// A length of time at the beginning of `text`, as people and servers write it: `6`, `6.5`, `6 seconds`, `1m30s`, `20ms`,
/// `1 minute and 30 seconds`. A number without a unit is of seconds.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut sum, mut found) = (text.trim_start(), 0.0_f64, 0_u8);
    // Hours, minutes, seconds and what is left of them: no more belong together.
    while found < 4 {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let Ok(number) = rest[..end].trim_end_matches('.').parse::<f64>() else { break };
        let after = rest[end..].trim_start();
        let word = &after[..after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len())];
        let unit = match word.to_ascii_lowercase().as_str() {
            "ms" | "millis" | "millisecond" | "milliseconds" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            // Neither a date nor a time of day.
            _ if found == 0 && !rest[end..].starts_with(['-', ':', '/']) => {
                return Duration::try_from_secs_f64(number).ok();
            }
            _ => break,
        };
        sum += number * unit;
        found += 1;
        let next = after[word.len()..].trim_start_matches([' ', ',']);
        rest = next.strip_prefix("and ").unwrap_or(next);
    }
    if found == 0 { None } else { Duration::try_from_secs_f64(sum).ok() }
}

fn millis(ms: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(ms / 1000.0).ok()
}

/// A date of HTTP: `Sun, 06 Nov 1994 08:49:37 GMT`, and its older form with a dashed date.
fn date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let (_, text) = text.split_once(',')?;
    let mut parts = text.split([' ', '-', ':']).filter(|part| !part.is_empty());
    let day: u8 = parts.next()?.parse().ok()?;
    let name = parts.next()?.to_ascii_lowercase();
    let month = u8::try_from(MONTHS.iter().position(|month| name.starts_with(month))?).ok()? + 1;
    let year: i32 = parts.next()?.parse().ok()?;
    let year = if year < 100 { year + if year < 70 { 2000 } else { 1900 } } else { year };
    let mut next = || parts.next()?.parse::<u8>().ok();
    let time = time::Time::from_hms(next()?, next()?, next()?).ok()?;
    let date = time::Date::from_calendar_date(year, time::Month::try_from(month).ok()?, day).ok()?;
    let seconds = date.with_time(time).assume_utc().unix_timestamp();
    Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// A wait in words.
pub(super) fn spoken(wait: Duration) -> String {
    let ms = wait.as_millis();
    match ms {
        0..600_000 if ms.is_multiple_of(1000) => format!("{} s", ms / 1000),
        0..600_000 => format!("{:.1} s", wait.as_secs_f64()),
        600_000..7_200_000 => format!("{} min", ms.div_ceil(60_000)),
        _ => format!("{} h", ms.div_ceil(3_600_000)),
    }
}

/// What the sentence of a refused prompt, in lower case, tells of its length and of the context.
pub(super) fn context_in(low: &str) -> Told {
    let after = |phrases: &[&str]| phrases.iter().find_map(|phrase| number(&low[low.find(phrase)? + phrase.len()..]));
    let before = |phrases: &[&str]| {
        phrases.iter().find_map(|phrase| {
            let head = low[..low.find(phrase)?].trim_end();
            let begin = head.rfind(|c: char| !c.is_ascii_digit() && c != ',').map_or(0, |at| at + 1);
            number(&head[begin..])
        })
    };
    let context = after(&[
        "context size (",
        "context length (",
        "maximum context length is ",
        "maximum context length of ",
        "maximum model length of ",
        "context length is only ",
        "context length of only ",
        "context length of ",
        "context window of ",
        "context window (",
        "n_ctx",
        "must be <= ",
        " tokens > ",
    ]);
    let prompt = before(&[
        " in the messages",
        " in the prompt",
        " tokens in the messages",
        " tokens from the input",
        " input tokens",
        " prompt tokens",
        " `inputs` tokens and",
    ])
    .or_else(|| {
        after(&[
            "n_prompt_tokens",
            "request (",
            "the input (",
            "prompt (length ",
            "messages resulted in ",
            "keep the first ",
            "n_keep",
            "prompt is too long: ",
            "you requested a total of ",
            "you requested ",
            "prompt has ",
        ])
    });
    Told { prompt_tokens: prompt, context, ..Told::default() }
}

/// The number that `text` begins with, after what parts it from its name.
fn number(text: &str) -> Option<u64> {
    let text = text.trim_start_matches([' ', ':', '=', '"', '\'', '\\', '(']);
    let digits: String =
        text.chars().take_while(|c| c.is_ascii_digit() || *c == ',').filter(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|n| (1..SENSELESS).contains(n))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::{context_in, duration, spoken, wait_in, wait_of};

    #[test]
    fn waits_are_read_in_every_form() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_770);
        for (headers, ms) in [
            (&[("retry-after", "6")][..], 6_000),
            (&[("retry-after", " 6.5 ")], 6_500),
            (&[("retry-after", "0")], 0),
            (&[("retry-after", "6s")], 6_000),
            (&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], 7_000),
            (&[("retry-after", "Sunday, 06-Nov-94 08:49:37 GMT")], 7_000),
            (&[("retry-after", "Sun, 06 Nov 1994 08:49:00 GMT")], 0),
            (&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), ("date", "Sun, 06 Nov 1994 08:49:35 GMT")], 2_000),
            (&[("retry-after-ms", "1500"), ("retry-after", "9")], 1_500),
            (&[("x-ratelimit-reset-requests", "1m30s")], 90_000),
            (&[("x-ratelimit-reset-requests", "12ms"), ("x-ratelimit-reset-tokens", "6s")], 6_000),
            (
                &[
                    ("x-ratelimit-reset-requests", "23h"),
                    ("x-ratelimit-remaining-requests", "5"),
                    ("x-ratelimit-reset-tokens", "6s"),
                    ("x-ratelimit-remaining-tokens", "0"),
                ],
                6_000,
            ),
            (&[("x-ratelimit-reset", "784111775")], 5_000),
        ] {
            let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            assert_eq!(wait_of(header, now), Some(Duration::from_millis(ms)), "{headers:?}");
        }
        for value in ["", "soon", "-5", "99999999999999999999999999999999e99"] {
            assert!(
                wait_of(|name| (name == "retry-after").then_some(value), now)
                    .is_none_or(|wait| wait.as_secs() > 1 << 40)
            );
        }
        for (words, ms) in [
            ("no deployments available, try again in 6 seconds", 6_000),
            ("please try again in 1m30s. visit", 90_000),
            ("try again in 500ms", 500),
            ("retry after 2 minutes", 120_000),
            ("please wait 1 minute and 30 seconds", 90_000),
            ("try again in 3", 3_000),
        ] {
            assert_eq!(wait_in(words), Some(Duration::from_millis(ms)), "{words}");
        }
        assert_eq!(wait_in("please try again later"), None);
        assert_eq!(duration("1h"), Some(Duration::from_secs(3600)));
        assert_eq!(
            [6_000, 1_500, 90_000, 7_200_000, 3_600_000].map(|ms| spoken(Duration::from_millis(ms))),
            ["6 s", "1.5 s", "90 s", "2 h", "60 min"]
        );
    }

    #[test]
    fn sentences_tell_what_fits() {
        for (words, prompt, context) in [
            (
                "request (1528 tokens) exceeds the available context size (1024 tokens), try increasing it",
                Some(1528),
                1024,
            ),
            (
                "this model's maximum context length is 4096 tokens. however, you requested 5000 tokens (4900 in the messages, 100 in the completion).",
                Some(4900),
                4096,
            ),
            (
                "this model's maximum context length is 4096 tokens. however, you requested 5000 tokens",
                Some(5000),
                4096,
            ),
            (
                "this model's maximum context length is 4096 tokens. however, your request has 5000 input tokens.",
                Some(5000),
                4096,
            ),
            ("the decoder prompt (length 5000) is longer than the maximum model length of 4096.", Some(5000), 4096),
            (
                "you passed 4097 input tokens and requested 1 output tokens. however, the model's context length is only 4096 tokens",
                Some(4097),
                4096,
            ),
            (
                "this model's maximum context length is 8,192 tokens. however, your messages resulted in 10,000 tokens.",
                Some(10_000),
                8192,
            ),
            (
                "trying to keep the first 5000 tokens when context the overflows. however, the model is loaded with context length of only 4096 tokens",
                Some(5000),
                4096,
            ),
            (
                "the number of tokens to keep from the initial prompt is greater than the context length (n_keep: 5021>= n_ctx: 4096)",
                Some(5021),
                4096,
            ),
            ("the input (5000 tokens) is longer than the model's context length (4096 tokens).", Some(5000), 4096),
            (
                "inputs tokens + max_new_tokens must be <= 4096. given: 5000 `inputs` tokens and 100 `max_new_tokens`",
                Some(5000),
                4096,
            ),
            ("prompt is too long: 5000 tokens > 4096 maximum", Some(5000), 4096),
            (
                "litellm.contextwindowexceedederror: {'error': {'n_prompt_tokens': 1528, 'n_ctx': 1024}}",
                Some(1528),
                1024,
            ),
            ("the prompt is too long for the context window of 4096 tokens", None, 4096),
        ] {
            let told = context_in(words);
            assert_eq!((told.prompt_tokens, told.context), (prompt, Some(context)), "{words}");
        }
        assert_eq!(context_in("context size has been exceeded"), Default::default());
    }
}
