//! The themes that come with Baton, embedded.

/// Name and text of each, in the order the theme key goes through.
pub(super) const THEMES: &[(&str, &str)] = &[
    ("midnight", include_str!("../../../../themes/midnight.toml")),
    ("daylight", include_str!("../../../../themes/daylight.toml")),
    ("high-contrast", include_str!("../../../../themes/high-contrast.toml")),
    ("ansi16", include_str!("../../../../themes/ansi16.toml")),
    ("mono", include_str!("../../../../themes/mono.toml")),
];
