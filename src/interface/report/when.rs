//! When something was, as people say it.

use super::moment;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long ago that is, from wall times in milliseconds since 1970: `just now`, `5 min ago`, `yesterday`, a date.
pub fn ago(now_ms: u64, then_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1_000;
    match seconds {
        0..MINUTE => "just now".to_owned(),
        MINUTE..HOUR => format!("{} min ago", seconds / MINUTE),
        HOUR..DAY => format!("{} h ago", seconds / HOUR),
        _ if seconds < 2 * DAY => "yesterday".to_owned(),
        _ if seconds < 30 * DAY => format!("{} days ago", seconds / DAY),
        _ => moment(then_ms).split(' ').next().unwrap_or_default().to_owned(),
    }
}

/// The present in milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_said_as_people_say_it() {
        let now = 1_795_201_437_000;
        let said = |seconds: u64| ago(now, now - seconds * 1_000);
        assert_eq!(
            [said(3), said(300), said(3 * HOUR), said(30 * HOUR), said(5 * DAY), said(400 * DAY)],
            ["just now", "5 min ago", "3 h ago", "yesterday", "5 days ago", "2025-10-16"]
        );
        assert_eq!(ago(0, 5_000), "just now", "a clock that was set back");
    }
}
