//! The themes that come with Baton, embedded.

/// Name and text of each, in the order the picker lists them and the theme key goes through.
pub(super) const THEMES: &[(&str, &str)] = &[
    ("midnight", include_str!("../../../../themes/midnight.toml")),
    ("ember", include_str!("../../../../themes/ember.toml")),
    ("okabe", include_str!("../../../../themes/okabe.toml")),
    ("high-contrast", include_str!("../../../../themes/high-contrast.toml")),
    ("daylight", include_str!("../../../../themes/daylight.toml")),
    ("paper", include_str!("../../../../themes/paper.toml")),
    ("ansi16", include_str!("../../../../themes/ansi16.toml")),
    ("mono", include_str!("../../../../themes/mono.toml")),
];
