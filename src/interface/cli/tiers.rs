//! Which tiers a model serves, by what it tells of itself and by its name, each with the reason.
//!
//! A first guess for a file that its owner edits; nothing is asked of any model. Invariant: every tier that an agent needs
//! is served by somebody where there is an endpoint at all; where that somebody is no match for it, it is said. Of the
//! models of one server no two are for the same (`roles`).

use super::roles::roles;
use crate::domain::fleet::{Agent, Endpoint};
use crate::domain::protocol::{AgentName, LevelSupport, TierName};
use crate::engine::providers::{Found, FoundModel, Loaded};

/// What a model is best at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// It thinks before it answers.
    Reasoning,
    /// It is made for code.
    Coder,
    /// It reads images.
    Vision,
    /// It is small, so it is fast.
    Small,
    /// Anything else: the work of most tasks.
    General,
}

/// Models up to this many parameters are small: they answer several times as fast as those of 30 billion.
const SMALL: u64 = 9_500_000_000;

/// What a model is, in the facts that count here.
#[derive(Clone, Debug)]
pub(super) struct Traits {
    name: String,
    parameters: Option<u64>,
    level: Option<LevelSupport>,
    vision: bool,
    tools: bool,
    /// The base URL of its server: models that share one are chosen among.
    server: String,
    /// Bytes of its weights, where told.
    bytes: Option<u64>,
    /// Whether it is in memory, as far as is known.
    pub(super) loaded: Loaded,
}

impl Traits {
    /// Of an endpoint, with its model's parameters where they are told.
    pub(super) fn of(endpoint: &Endpoint, parameters: Option<u64>) -> Self {
        let name = format!("{} {}", endpoint.model, endpoint.title.as_deref().unwrap_or_default()).to_lowercase();
        let parameters = parameters.or_else(|| parameters_in(&name));
        Self {
            name,
            parameters,
            level: endpoint.level,
            vision: endpoint.vision,
            tools: endpoint.tools,
            server: endpoint.pool().url,
            bytes: None,
            loaded: Loaded::Untold,
        }
    }

    /// Of a model of a server, before it is an endpoint.
    pub(super) fn found(found: &Found, model: &FoundModel) -> Self {
        let name = model.name.to_lowercase();
        Self {
            parameters: model.parameters.or_else(|| parameters_in(&name)),
            name,
            level: model.level,
            vision: model.vision == Some(true),
            tools: model.tools == Some(true),
            server: found.url.clone(),
            bytes: model.bytes,
            loaded: model.loaded,
        }
    }

    /// The class, and why.
    pub(super) fn class(&self) -> (Class, &'static str) {
        let words: Vec<&str> = self.name.split(|c: char| !c.is_alphanumeric()).collect();
        let says = |known: &[&str]| known.iter().any(|known| words.contains(known));
        let holds = |known: &[&str]| known.iter().any(|known| self.name.contains(known));
        if self.vision {
            (Class::Vision, "it reads images")
        } else if says(&["vl", "vision", "llava", "pixtral", "moondream"]) || holds(&["minicpm-v"]) {
            (Class::Vision, "by its name it reads images")
        } else if says(&["coder", "code"]) || holds(&["starcoder", "codestral", "devstral", "codellama", "codegemma"]) {
            (Class::Coder, "by its name it is made for code")
        } else if self.level == Some(LevelSupport::Graded) {
            (Class::Reasoning, "it thinks in grades")
        } else if says(&["r1", "qwq", "thinking", "reasoning", "reasoner", "magistral", "gptoss"])
            || holds(&["gpt-oss"])
        {
            (Class::Reasoning, "by its name it reasons")
        } else if self.parameters.is_some_and(|n| n <= SMALL) {
            (Class::Small, "it is small, so it is fast")
        } else {
            (Class::General, "it is for any work")
        }
    }

    /// How able it is, as far as its size tells.
    pub(super) fn size(&self) -> u64 {
        self.parameters.unwrap_or(0)
    }

    /// Whether it thinks before it answers where that is asked of it.
    fn thinks(&self) -> bool {
        matches!(self.level, Some(LevelSupport::Graded | LevelSupport::Switch))
    }

    /// The memory it takes, in bytes, as far as it is told: its weights, or what so many parameters take in four bits with
    /// their scales (0.6 bytes each, as in the usual files), and a fifth more for its cache.
    pub(super) fn needs(&self) -> Option<u64> {
        let weights = self.bytes.or_else(|| self.parameters.map(|n| n / 10 * 6))?;
        Some(weights.saturating_add(weights / 5))
    }
}

/// The parameters that a name gives: `qwen2.5-7b`, `gemma3:270m`, `mixtral-8x7b`.
fn parameters_in(name: &str) -> Option<u64> {
    let words = name.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'));
    let sizes = words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    sizes.filter_map(crate::engine::providers::parameters).filter(|n| *n >= 1_000_000).max()
}

/// What a tier is for, by its name.
fn class_of(tier: &TierName) -> Class {
    let name = tier.as_str().to_ascii_lowercase();
    let holds = |known: &[&str]| known.iter().any(|known| name.contains(known));
    if holds(&["reason", "think"]) {
        Class::Reasoning
    } else if holds(&["cod"]) {
        Class::Coder
    } else if holds(&["vision", "image"]) {
        Class::Vision
    } else if holds(&["summar", "small", "fast", "mini"]) {
        Class::Small
    } else {
        Class::General
    }
}

/// A tier of an endpoint, and why it serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) tier: TierName,
    pub(super) why: String,
}

/// A tier that nobody is a match for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lacking {
    pub(super) tier: TierName,
    /// The agents that need it.
    pub(super) agents: Vec<AgentName>,
    /// Who stands in.
    pub(super) stands_in: usize,
}

/// The tiers that agents need, in the order of the agents.
fn needed(agents: &[Agent]) -> Vec<(TierName, Vec<AgentName>)> {
    let mut tiers: Vec<(TierName, Vec<AgentName>)> = Vec::new();
    for agent in agents {
        for tier in std::iter::once(&agent.tier).chain(&agent.fallback) {
            match tiers.iter_mut().find(|(known, _)| known == tier) {
                Some((_, names)) => names.push(agent.name.clone()),
                None => tiers.push((tier.clone(), vec![agent.name.clone()])),
            }
        }
    }
    tiers
}

/// The tiers of each endpoint; those already given stay. A tier that nobody is made for goes to who comes nearest.
pub(super) fn assign(
    models: &[Traits],
    mut served: Vec<Vec<Served>>,
    agents: &[Agent],
) -> (Vec<Vec<Served>>, Vec<Lacking>) {
    let needed = needed(agents);
    let fixed: Vec<bool> = served.iter().map(|tiers| !tiers.is_empty()).collect();
    let classes = classes(models);
    for (((class, why), tiers), fixed) in classes.iter().zip(&mut served).zip(&fixed) {
        if !fixed {
            let of_class = needed.iter().filter(|(tier, _)| class_of(tier) == *class);
            tiers.extend(of_class.map(|(tier, _)| Served { tier: tier.clone(), why: (*why).to_owned() }));
        }
    }
    let mut lacking = Vec::new();
    for (tier, agents) in needed {
        if served.iter().flatten().any(|s| s.tier == tier) {
            continue;
        }
        let class = class_of(&tier);
        let near = |i: usize| models.get(i).zip(classes.get(i)).map(|(model, (own, _))| rank(class, *own, model));
        let Some(nearest) = (0..models.len()).max_by_key(|i| (near(*i), usize::MAX - i)) else { continue };
        // The work of words is done by any model, better or worse; images are not.
        let blind = class == Class::Vision;
        let why = if blind { "nothing found reads images: it answers from words alone" } else { nearest_why(class) };
        // Its equals on other servers do it as well: what two can do need not wait for one.
        let servers = |i: usize| models.get(i).map(|model| model.server.as_str());
        for i in (0..models.len()).filter(|i| near(*i) == near(nearest)) {
            if (i == nearest || servers(i) != servers(nearest))
                && let Some(tiers) = served.get_mut(i)
            {
                tiers.push(Served { tier: tier.clone(), why: why.to_owned() });
            }
        }
        if blind {
            lacking.push(Lacking { tier, agents, stands_in: nearest });
        }
    }
    // An endpoint that no agent needs is there for the operator's own plans all the same.
    for ((class, why), tiers) in classes.iter().zip(&mut served) {
        if tiers.is_empty() {
            tiers.push(Served { tier: TierName::slug(usual(*class)), why: format!("{why}; no agent asks for it") });
        }
    }
    (served, lacking)
}

/// What each is for: by itself, or as the models of its server share the roles, where it has several.
fn classes(models: &[Traits]) -> Vec<(Class, &'static str)> {
    let mut classes: Vec<(Class, &'static str)> = models.iter().map(Traits::class).collect();
    let mut servers: Vec<&str> = models.iter().map(|model| model.server.as_str()).collect();
    servers.sort_unstable();
    servers.dedup();
    for server in servers {
        let here = |(_, model): &(usize, &Traits)| model.server == server;
        let (places, mine): (Vec<usize>, Vec<&Traits>) = models.iter().enumerate().filter(here).unzip();
        if mine.len() < 2 {
            continue;
        }
        for (place, role) in places.into_iter().zip(roles(&mine, None)) {
            if let (Some(class), Some(role)) = (classes.get_mut(place), role) {
                *class = role;
            }
        }
    }
    classes
}

/// How near a model that is of the class `own` comes to one it is not of: the larger the better, for summaries the smaller.
fn rank(class: Class, own: Class, model: &Traits) -> (u8, u64) {
    let able = u8::from(own != Class::Small);
    let suits = match class {
        Class::General => u8::from(model.tools) * 2 + able,
        Class::Small => u8::from(own != Class::Vision),
        // One that thinks when asked to comes nearer than a larger one that can't; one for any work nearer than a coder.
        Class::Reasoning => u8::from(model.thinks()) * 4 + u8::from(own == Class::General) * 2 + able,
        Class::Coder | Class::Vision => able,
    };
    let size = model.size();
    (suits, if class == Class::Small { u64::MAX - size } else { size })
}

fn nearest_why(class: Class) -> &'static str {
    match class {
        Class::Reasoning => "nothing found reasons more",
        Class::Coder => "nothing found is made for code",
        Class::Small => "nothing found is smaller",
        Class::General | Class::Vision => "nothing found is nearer to it",
    }
}

/// The built-in tier of a class.
const fn usual(class: Class) -> &'static str {
    match class {
        Class::Reasoning => "gptoss_reason",
        Class::Coder => "coder",
        Class::Vision => "vision",
        Class::Small => "summary",
        Class::General => "q4_tools",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(name: &str, vision: bool) -> Traits {
        let name = name.to_lowercase();
        let parameters = parameters_in(&name);
        let server = format!("http://{name}");
        Traits { name, parameters, level: None, vision, tools: false, server, bytes: None, loaded: Loaded::Untold }
    }

    #[test]
    fn names_tell_what_a_model_is_for() {
        for (name, class) in [
            ("gpt-oss:120b", Class::Reasoning),
            ("deepseek-r1:70b", Class::Reasoning),
            ("Qwen/QwQ-32B", Class::Reasoning),
            ("qwen2.5-coder:7b", Class::Coder),
            ("devstral-small-2507", Class::Coder),
            ("qwen2.5-vl-7b-instruct", Class::Vision),
            ("llava:13b", Class::Vision),
            ("hermes-3-llama-3.1-8b", Class::Small),
            ("gemma3:270m", Class::Small),
            ("llama-3.3-70b-instruct-q4_k_m", Class::General),
            ("mixtral-8x7b", Class::General),
            ("athene-v2-agent", Class::General),
            ("encoder-decoder-70b", Class::General),
        ] {
            assert_eq!(traits(name, false).class().0, class, "{name}");
        }
        assert_eq!(traits("gemma-3-27b", true).class().0, Class::Vision);
        for (name, parameters) in [
            ("llama-3.3-70b", Some(70_000_000_000)),
            ("qwen3-30b-a3b", Some(30_000_000_000)),
            ("model", None),
            ("v2", None),
        ] {
            assert_eq!(parameters_in(name), parameters, "{name}");
        }
    }

    fn agents() -> Vec<Agent> {
        let nowhere = std::path::PathBuf::from("/nonexistent");
        let surroundings = crate::config::Surroundings {
            variables: std::collections::BTreeMap::new(),
            working: nowhere.clone(),
            home: nowhere,
        };
        crate::config::load_in(&surroundings, &crate::config::Flags::default()).unwrap().fleet.agents
    }

    fn assigned(models: &[Traits]) -> (Vec<Vec<String>>, Vec<String>) {
        let (served, lacking) = assign(models, vec![Vec::new(); models.len()], &agents());
        assert!(served.iter().flatten().all(|s| !s.why.is_empty()));
        let words = |tiers: Vec<Served>| tiers.into_iter().map(|s| s.tier.to_string()).collect();
        (served.into_iter().map(words).collect(), lacking.into_iter().map(|l| l.tier.to_string()).collect())
    }

    #[test]
    fn one_model_serves_everything_and_what_it_can_t_is_said() {
        let (tiers, lacking) = assigned(&[traits("llama-70b", false)]);
        assert_eq!(tiers[0], ["q4_tools", "gptoss_reason", "coder", "vision", "summary"]);
        assert_eq!(lacking, ["vision"]);
        assert_eq!(assigned(&[traits("qwen2.5-vl-7b", false)]).1, [""; 0]);
    }

    #[test]
    fn each_serves_what_it_is_made_for_and_the_rest_goes_to_the_nearest() {
        let models = [
            traits("hermes-8b", false),
            traits("qwen-coder-32b", false),
            traits("gpt-oss-120b", false),
            traits("gemma-27b", true),
        ];
        let (tiers, lacking) = assigned(&models);
        assert_eq!(tiers, [vec!["summary"], vec!["coder"], vec!["gptoss_reason", "q4_tools"], vec!["vision"]]);
        assert!(lacking.is_empty());
    }

    #[test]
    fn tiers_that_were_configured_stay() {
        let given = vec![vec![Served { tier: TierName::slug("coder"), why: "as configured".into() }], Vec::new()];
        let (served, _) = assign(&[traits("llama-70b", false), traits("phi-3b", false)], given, &agents());
        assert_eq!(served[0][0].why, "as configured");
        assert!(served[1].iter().any(|s| s.tier.as_str() == "summary"));
    }
}
