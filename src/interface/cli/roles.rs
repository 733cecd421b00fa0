//! Which of a server's models does what, where it has several and loads them as they are asked for.
//!
//! Not here: what a model is (`tiers`), which servers have such models (`offer`). Invariants: no two models of a server
//! have one role; what is chosen fits into memory together, as far as sizes are told, one model always; where two would
//! do, the one that is in memory does.

use super::tiers::{Class, Traits};
use crate::engine::providers::Loaded;

/// A role, and why.
pub(super) type Role = (Class, &'static str);

/// The role of each of a server's models, with `room` bytes for all of them; none for those that others do better, or
/// that don't fit beside them.
pub(super) fn roles(models: &[&Traits], room: Option<u64>) -> Vec<Option<Role>> {
    let mut given: Vec<Option<Role>> = vec![None; models.len()];
    let mut left = room;
    let of = |i: usize| models.get(i).map(|model| model.class());
    let is = |i: usize, classes: &[Class]| of(i).is_some_and(|(class, _)| classes.contains(&class));
    let size = |i: usize| models.get(i).map_or(0, |model| model.size());
    let loaded = |i: usize| models.get(i).is_some_and(|model| model.loaded == Loaded::Yes);
    let words: Vec<usize> = (0..models.len()).filter(|i| is(*i, &[Class::General, Class::Small])).collect();
    // The smallest is for summaries, where a larger one is there for the rest.
    let most = words.iter().map(|i| size(*i)).max().unwrap_or(0);
    let smaller = words.iter().copied().filter(|i| is(*i, &[Class::Small]) && size(*i) < most);
    let small = smaller.min_by_key(|i| (size(*i), !loaded(*i), *i));
    let any: Vec<usize> = words.iter().copied().filter(|i| Some(*i) != small).collect();
    let all = |class: Class| (0..models.len()).filter(|i| is(*i, &[class])).collect::<Vec<usize>>();
    // In the order of what is missed most: nothing stands in for what reads images.
    let wanted = [
        (Class::General, any),
        (Class::Vision, all(Class::Vision)),
        (Class::Coder, all(Class::Coder)),
        (Class::Reasoning, all(Class::Reasoning)),
        (Class::Small, small.into_iter().collect()),
    ];
    for (class, candidates) in wanted {
        let needs = |i: &usize| models.get(*i).and_then(|model| model.needs()).unwrap_or(0);
        let fits = candidates.into_iter().filter(|i| left.is_none_or(|left| needs(i) <= left));
        let Some(best) = fits.max_by_key(|i| (loaded(*i), size(*i), usize::MAX - i)) else { continue };
        left = left.map(|left| left.saturating_sub(needs(&best)));
        let why = match of(best) {
            Some((own, why)) if own == class => why,
            _ => "the largest of its server's for any work",
        };
        if let Some(role) = given.get_mut(best) {
            *role = Some((class, why));
        }
    }
    if given.iter().all(Option::is_none)
        && let Some(least) = (0..models.len()).min_by_key(|i| (!loaded(*i), size(*i), *i))
        && let Some(role) = given.get_mut(least)
    {
        *role = of(least);
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::protocol::LevelSupport;
    use crate::engine::providers::{Found, FoundModel, Readiness, ServerKind};

    const GB: u64 = 1_000_000_000;

    /// What an Ollama tells of these: name, gigabytes, whether it reads images.
    fn chosen(models: &[(&str, u64, bool, Loaded)], room: Option<u64>) -> Vec<(String, Class)> {
        let found = Found {
            url: "http://127.0.0.1:11434".to_owned(),
            kind: ServerKind::Ollama,
            readiness: Readiness::Serves,
            models: Vec::new(),
            version: None,
        };
        let traits: Vec<Traits> = models
            .iter()
            .map(|(name, gb, vision, loaded)| {
                let model = FoundModel {
                    bytes: Some(gb * GB),
                    vision: Some(*vision),
                    level: Some(LevelSupport::None),
                    loaded: *loaded,
                    ..FoundModel::named(name)
                };
                Traits::found(&found, &model)
            })
            .collect();
        let roles = roles(&traits.iter().collect::<Vec<_>>(), room);
        let named = models.iter().zip(roles).filter_map(|((name, ..), role)| Some(((*name).to_owned(), role?.0)));
        named.collect()
    }

    fn is(chosen: &[(String, Class)], expected: &[(&str, Class)]) {
        let chosen: Vec<(&str, Class)> = chosen.iter().map(|(name, class)| (name.as_str(), *class)).collect();
        assert_eq!(chosen, expected);
    }

    const FOUR: [(&str, u64, bool, Loaded); 4] = [
        ("qwen3:8b", 5, false, Loaded::No),
        ("gemma3:12b", 8, true, Loaded::No),
        ("qwen2.5-coder:14b", 9, false, Loaded::No),
        ("llama3.2:3b", 2, false, Loaded::No),
    ];

    #[test]
    fn four_models_of_one_server_share_the_work() {
        let all = [
            ("qwen3:8b", Class::General),
            ("gemma3:12b", Class::Vision),
            ("qwen2.5-coder:14b", Class::Coder),
            ("llama3.2:3b", Class::Small),
        ];
        is(&chosen(&FOUR, None), &all);
        is(&chosen(&FOUR, Some(64 * GB)), &all);
    }

    #[test]
    fn what_does_not_fit_together_is_left_out_what_is_missed_least_first() {
        // 6 + 9.6 GB and no more.
        is(&chosen(&FOUR, Some(16 * GB)), &[("qwen3:8b", Class::General), ("gemma3:12b", Class::Vision)]);
        // Room for the small one only: it does everything.
        is(&chosen(&FOUR, Some(GB)), &[("llama3.2:3b", Class::Small)]);
    }

    #[test]
    fn no_two_have_one_role_and_what_is_in_memory_goes_first() {
        let two =
            |loaded| [("a-7b", 4, false, Loaded::No), ("b-7b", 4, false, loaded), ("c-30b", 18, false, Loaded::No)];
        is(&chosen(&two(Loaded::No), None), &[("a-7b", Class::Small), ("c-30b", Class::General)]);
        is(&chosen(&two(Loaded::Yes), None), &[("b-7b", Class::Small), ("c-30b", Class::General)]);
        let equals = [("x", 4, false, Loaded::No), ("y", 4, false, Loaded::Yes), ("z", 4, false, Loaded::Yes)];
        is(&chosen(&equals, None), &[("y", Class::General)]);
        is(&chosen(&[], None), &[]);
    }
}
