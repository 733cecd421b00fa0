//! Numbers as they are written on the screen: short, of steady width, with their unit.

use crate::domain::protocol::Micros;

/// `04:12`, or `1:04:12` from an hour on.
pub fn clock(time: Micros) -> String {
    seconds_clock(time.0 / 1_000_000)
}

/// `04:12` of whole seconds.
pub fn seconds_clock(all: u64) -> String {
    let (h, m, s) = (all / 3600, all / 60 % 60, all % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m:02}:{s:02}") }
}

/// `48s`, `3m12s`, `1h04m`: for sentences and narrow fields.
pub fn span(time: Micros) -> String {
    time.words()
}

/// `950`, `9.5k`, `95k`, `1.2M`.
pub fn count(n: u64) -> String {
    match n {
        0..1_000 => n.to_string(),
        1_000..10_000 => format!("{}.{}k", n / 1_000, n / 100 % 10),
        10_000..1_000_000 => format!("{}k", n / 1_000),
        _ => format!("{}.{}M", n / 1_000_000, n / 100_000 % 10),
    }
}

/// Bytes as whole gigabytes (10⁹).
pub fn gigabytes(bytes: u64) -> u64 {
    bytes.saturating_add(500_000_000) / 1_000_000_000
}

/// Bytes as gigabytes (10⁹) with one decimal.
pub fn gigabytes_tenths(bytes: u64) -> String {
    let tenths = bytes.saturating_add(50_000_000) / 100_000_000;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Tokens a second: one decimal below ten.
pub fn rate(tokens: f32) -> String {
    if tokens > 0.0 && tokens < 9.95 { format!("{tokens:.1} t/s") } else { format!("{tokens:.0} t/s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(clock(Micros::from_secs(252)), "04:12");
        assert_eq!(clock(Micros::from_secs(3852)), "1:04:12");
        assert_eq!(
            [span(Micros::from_secs(48)), span(Micros::from_secs(192)), span(Micros::from_secs(3840))],
            ["48s", "3m12s", "1h04m"]
        );
        assert_eq!([count(950), count(9_540), count(95_000), count(1_240_000)], ["950", "9.5k", "95k", "1.2M"]);
        assert_eq!([rate(3.12), rate(31.4), rate(0.0)], ["3.1 t/s", "31 t/s", "0 t/s"]);
        assert_eq!(gigabytes(79_600_000_000), 80);
        assert_eq!([gigabytes_tenths(79_640_000_000), gigabytes_tenths(0)], ["79.6", "0.0"]);
    }
}
