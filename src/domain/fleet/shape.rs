//! What a model takes in memory, from what its file or its server tells of its layers.
//!
//! Not here: reading files or asking servers (`engine/providers`), the sum over a fleet. The arithmetic is llama.cpp's
//! (`llama-hparams.cpp`, `llama-kv-cache.cpp`, `llama-kv-cache-iswa.cpp`, `models/*.cpp`), which Ollama and LM Studio run
//! as well. Invariants: what is not told, or is more than any model has, makes a figure `None`, never 0; where it is not
//! known whether a window of attention is honoured, the whole context is counted: rather too much than too little.

use std::collections::BTreeMap;

use super::launch::{EnvValue, Launch};
use crate::domain::protocol::ModelShape;

/// The most layers that are counted; the largest models known have fewer than 200.
const MOST_LAYERS: u64 = 4_096;

/// Cells of a window's cache are allotted in steps of this many (`llama-kv-cache-iswa.cpp`).
const WINDOW_STEP: u128 = 256;

/// Tokens that are read at once where the launch does not say (`--ubatch-size`); a window's cache has room for them too.
const BATCH: u32 = 512;

/// Recurrent states are kept as 32-bit floats.
const STATE_BYTES: u128 = 4;

/// One thing that a model file tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A number, or a flag as 0 or 1.
    Number(u64),
    /// A word.
    Text(String),
    /// A number for each layer.
    Numbers(Vec<u64>),
    /// It is there and was not told: left out by the server, or not of a kind that a shape is made of.
    Withheld,
}

/// What a model file tells of the model, under GGUF's names (`general.architecture`, `llama.block_count`, …).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModelFacts(BTreeMap<String, Fact>);

/// How a server keeps its KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSettings {
    /// An element of a key; none: of a kind that is not known here.
    keys: Option<Element>,
    /// An element of a value.
    values: Option<Element>,
    /// Tokens read at once.
    batch: u32,
    windows: Windows,
}

/// Whether layers with a window keep only their window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Windows {
    /// They do.
    Kept,
    /// They keep the whole context (`--swa-full`).
    Whole,
}

/// The size of a number in the cache: so many bytes for so many of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Element {
    bytes: u32,
    of: u32,
}

impl Element {
    const F16: Self = Self { bytes: 2, of: 1 };

    /// By the name that `--cache-type-k` takes; block sizes are ggml's (`ggml-common.h`).
    fn named(name: &str) -> Option<Self> {
        let (bytes, of) = match name.to_ascii_lowercase().as_str() {
            "f32" => (4, 1),
            "f16" | "bf16" | "" => (2, 1),
            "q8_0" => (34, 32),
            "q5_1" => (24, 32),
            "q5_0" => (22, 32),
            "q4_1" => (20, 32),
            "q4_0" | "iq4_nl" => (18, 32),
            _ => return None,
        };
        Some(Self { bytes, of })
    }

    /// Bytes of a row of so many elements.
    fn row(self, elements: u128) -> u128 {
        (elements * u128::from(self.bytes)).div_ceil(u128::from(self.of))
    }
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self { keys: Some(Element::F16), values: Some(Element::F16), batch: BATCH, windows: Windows::Kept }
    }
}

impl CacheSettings {
    /// As a launch sets them, by argument or environment; the servers' own defaults for what it does not say.
    pub fn of(launch: Option<&Launch>) -> Self {
        let Some(launch) = launch else { return Self::default() };
        let variable = |name: &str| match launch.env.get(name) {
            Some(EnvValue::Plain(text)) => Some(text.as_str()),
            Some(EnvValue::Secret(_)) | None => None,
        };
        let kind = |names: &[&str], name: &str| {
            let told = launch.argument(names).or_else(|| variable(name)).or_else(|| variable("OLLAMA_KV_CACHE_TYPE"));
            told.map_or(Some(Element::F16), Element::named)
        };
        let batch = launch.argument(&["-ub", "--ubatch-size"]).or_else(|| variable("LLAMA_ARG_UBATCH"));
        let whole = launch.args.iter().any(|arg| arg == "--swa-full")
            || variable("LLAMA_ARG_SWA_FULL").is_some_and(|text| ["1", "on", "true", "enabled"].contains(&text));
        Self {
            keys: kind(&["-ctk", "--cache-type-k"], "LLAMA_ARG_CACHE_TYPE_K"),
            values: kind(&["-ctv", "--cache-type-v"], "LLAMA_ARG_CACHE_TYPE_V"),
            batch: batch.and_then(|text| text.parse().ok()).unwrap_or(BATCH),
            windows: if whole { Windows::Whole } else { Windows::Kept },
        }
    }
}

impl ModelFacts {
    /// Takes in what was told under `key`.
    pub fn learn(&mut self, key: String, fact: Fact) {
        self.0.insert(key, fact);
    }

    /// How many facts there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether something of the model's layers was left out, so that its file is worth a look.
    pub fn withholds(&self) -> bool {
        self.0.iter().any(|(key, fact)| *fact == Fact::Withheld && !key.starts_with("tokenizer."))
    }

    /// The model's kind, as in `llama`.
    pub fn architecture(&self) -> Option<&str> {
        match self.0.get("general.architecture") {
            Some(Fact::Text(name)) => Some(name),
            _ => None,
        }
    }

    /// What is told under `key` of this kind of model.
    fn fact(&self, key: &str) -> Option<&Fact> {
        self.0.get(&format!("{}.{key}", self.architecture()?))
    }

    /// A number; larger ones than any model has are none.
    fn number(&self, key: &str) -> Option<u64> {
        match self.fact(key) {
            Some(Fact::Number(n)) if *n <= u64::from(u32::MAX) => Some(*n),
            _ => None,
        }
    }

    /// A number for each of so many layers, told once or one by one.
    fn each(&self, key: &str, layers: usize) -> Option<Vec<u64>> {
        match self.fact(key)? {
            Fact::Number(n) if *n <= u64::from(u32::MAX) => Some(vec![*n; layers]),
            Fact::Numbers(all) if all.len() >= layers && all.iter().all(|n| *n <= u64::from(u32::MAX)) => {
                Some(all[..layers].to_vec())
            }
            _ => None,
        }
    }

    /// What the model takes where its cache is kept like that; its weights are not told here.
    pub fn shape(&self, cache: CacheSettings) -> ModelShape {
        let (token, slot) = self.cache(cache).map_or((None, 0), |(token, slot)| (Some(token), slot));
        let trained = self.number("context_length").and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        ModelShape { weights: None, kv_token: token, kv_slot: slot, trained }
    }

    /// Bytes of one token over all layers that reach back all the way, and of one slot over the others.
    fn cache(&self, cache: CacheSettings) -> Option<(u64, u64)> {
        let layers = self.number("block_count").filter(|n| (1..=MOST_LAYERS).contains(n))?;
        let count = usize::try_from(layers).ok()?;
        let own = self.own_layers(count);
        let heads = self.heads(count)?;
        let (key, value) = (self.head("key")?, self.head("value")?);
        let in_window = |name: &str, whole: u64| self.number(name).unwrap_or(whole);
        let (key_in_window, value_in_window) =
            (in_window("attention.key_length_swa", key), in_window("attention.value_length_swa", value));
        // Attention through a latent keeps that and no values (`is_mla`).
        let latent = self.fact("attention.key_length_mla").is_some();
        let (window, windowed) = self.windows(count)?;
        let recurrent = self.recurrent(count, &heads)?;
        let state = self.state();
        let cells = (u128::from(window) + u128::from(cache.batch)).next_multiple_of(WINDOW_STEP);
        let (mut token, mut slot) = (0u128, 0u128);
        for (at, heads) in heads.iter().map(|n| u128::from(*n)).enumerate() {
            if recurrent[at] != Recurrent::No {
                slot += state;
            }
            if recurrent[at] == Recurrent::Only || at >= own {
                continue;
            }
            let (key, value) = if windowed[at] { (key_in_window, value_in_window) } else { (key, value) };
            let keys = cache.keys?.row(heads * u128::from(key));
            let values = if latent { 0 } else { cache.values?.row(heads * u128::from(value)) };
            if windowed[at] && cache.windows == Windows::Kept {
                slot += (keys + values) * cells;
            } else {
                token += keys + values;
            }
        }
        Some((u64::try_from(token).ok()?, u64::try_from(slot).ok()?))
    }

    /// Layers with a cache of their own: the last ones may use an earlier one's, or only guess ahead and not be run.
    fn own_layers(&self, layers: usize) -> usize {
        let named = |key| self.number(key).and_then(|n| usize::try_from(n).ok());
        let shared = named("attention.shared_kv_layers").or_else(|| {
            // `models/gemma3n.cpp` knows it by heart: 20 layers keep a cache.
            (self.architecture() == Some("gemma3n")).then(|| layers.saturating_sub(20))
        });
        layers.saturating_sub(shared.unwrap_or(0)).saturating_sub(named("nextn_predict_layers").unwrap_or(0))
    }

    /// Heads of each layer that have keys and values.
    fn heads(&self, layers: usize) -> Option<Vec<u64>> {
        let own = "attention.head_count_kv";
        match self.fact(own) {
            Some(_) => self.each(own, layers),
            None if self.is_one_of(&RECURRENT) => Some(vec![0; layers]),
            None => self.each("attention.head_count", layers),
        }
    }

    /// Elements of one head's `key` or `value`.
    fn head(&self, what: &str) -> Option<u64> {
        let told = self.number(&format!("attention.{what}_length"));
        told.or_else(|| {
            let heads = match self.fact("attention.head_count")? {
                Fact::Number(n) => *n,
                Fact::Numbers(all) => all.iter().copied().max()?,
                Fact::Text(_) | Fact::Withheld => return None,
            };
            self.number("embedding_length")?.checked_div(heads).or(Some(0))
        })
    }

    /// The window of attention in tokens, and which layers have it. None where the file tells and it is withheld.
    fn windows(&self, layers: usize) -> Option<(u64, Vec<bool>)> {
        let usual = self.usual_window(layers);
        let told = self.number("attention.sliding_window").or(usual.and_then(|(_, window)| window));
        let none = (0, vec![false; layers]);
        let Some(window) = told.filter(|n| *n > 0) else { return Some(none) };
        let every = |n: u64| (0..).take(layers).map(|at: u64| n == 0 || at % n < n - 1).collect();
        match self.fact("attention.sliding_window_pattern") {
            Some(Fact::Number(n)) => Some((window, every(*n))),
            Some(Fact::Numbers(all)) if all.len() >= layers => {
                Some((window, all[..layers].iter().map(|n| *n != 0).collect()))
            }
            Some(_) => None,
            None => Some(usual.map_or(none, |(n, _)| (window, every(n)))),
        }
    }

    /// Every how manieth layer reaches back all the way, and the window of the others, where files don't say: as
    /// `models/<architecture>.cpp` knows by heart. Others with a window and no pattern are run without it (phi3, llama).
    fn usual_window(&self, layers: usize) -> Option<(u64, Option<u64>)> {
        Some(match self.architecture()? {
            "gemma2" => (2, Some(4_096)),
            "gpt-oss" | "gptoss" => (2, None),
            "gemma3n" => (5, None),
            "gemma3" => (6, None),
            "llama4" => (4, Some(8_192)),
            "cohere2" | "olmo2" | "afmoe" => (4, None),
            "exaone4" if layers == 64 => (4, None),
            _ => return None,
        })
    }

    /// Which layers keep a state in place of a cache, or beside it. None where the file tells and it is withheld.
    fn recurrent(&self, layers: usize, heads: &[u64]) -> Option<Vec<Recurrent>> {
        let only = |yes: bool| if yes { Recurrent::Only } else { Recurrent::No };
        if self.is_one_of(&RECURRENT) {
            return Some(vec![Recurrent::Only; layers]);
        }
        if self.is_one_of(&["falcon-h1"]) {
            return Some(vec![Recurrent::Too; layers]);
        }
        let listed = "attention.recurrent_layers";
        if self.fact(listed).is_some() {
            return Some(self.each(listed, layers)?.into_iter().map(|n| only(n != 0)).collect());
        }
        let usual = self.is_one_of(&["qwen3next", "qwen35", "qwen35moe"]).then_some(4);
        if let Some(every) = self.number("full_attention_interval").or(usual).filter(|n| *n > 0) {
            return Some((1..).take(layers).map(|at: u64| only(!at.is_multiple_of(every))).collect());
        }
        if self.state() == 0 {
            return Some(vec![Recurrent::No; layers]);
        }
        // Of these (Jamba, Granite, LFM2, …) a layer without heads is recurrent; Nemotron's may also do neither.
        let wide = if self.architecture().is_some_and(|name| name.starts_with("nemotron_h")) {
            self.each("feed_forward_length", layers)?
        } else {
            vec![0; layers]
        };
        Some(heads.iter().zip(wide).map(|(heads, wide)| only(*heads == 0 && wide == 0)).collect())
    }

    /// Bytes of a recurrent layer's state for one slot (`n_embd_r` and `n_embd_s`); 0 where it has none.
    fn state(&self) -> u128 {
        let number = |key: &str| u128::from(self.number(key).unwrap_or(0));
        let width = number("embedding_length");
        let (wkv, conv) = (number("wkv.head_size"), number("shortconv.l_cache"));
        let elements = if wkv > 0 {
            let shifts = self.number("token_shift_count").map_or(2, u128::from);
            shifts * width + width * wkv
        } else if conv > 0 {
            width * (conv - 1)
        } else {
            let (inner, state) = (number("ssm.inner_size"), number("ssm.state_size"));
            number("ssm.conv_kernel").saturating_sub(1) * (inner + 2 * number("ssm.group_count") * state)
                + state * inner
        };
        elements * STATE_BYTES
    }

    fn is_one_of(&self, names: &[&str]) -> bool {
        self.architecture().is_some_and(|name| names.contains(&name))
    }
}

/// Kinds of models that have no attention at all.
const RECURRENT: [&str; 6] = ["mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"];

/// Whether a layer keeps a recurrent state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recurrent {
    /// It has a cache only.
    No,
    /// It has a state only.
    Only,
    /// It has both.
    Too,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Facts of a model: its kind, then numbers.
    fn facts(architecture: &str, numbers: &[(&str, u64)]) -> ModelFacts {
        let mut facts = ModelFacts::default();
        facts.learn("general.architecture".to_owned(), Fact::Text(architecture.to_owned()));
        for (key, n) in numbers {
            facts.learn(format!("{architecture}.{key}"), Fact::Number(*n));
        }
        facts
    }

    fn launch(args: &[&str], env: &[(&str, &str)]) -> Launch {
        let mut launch: Launch = serde_json::from_str(r#"{"command":"llama-server"}"#).unwrap();
        launch.args = args.iter().map(|&arg| arg.to_owned()).collect();
        launch.env = env.iter().map(|&(k, v)| (k.to_owned(), EnvValue::Plain(v.to_owned()))).collect();
        launch
    }

    fn llama3() -> ModelFacts {
        facts(
            "llama",
            &[
                ("block_count", 32),
                ("attention.head_count", 32),
                ("attention.head_count_kv", 8),
                ("embedding_length", 4096),
                ("context_length", 8192),
            ],
        )
    }

    fn gpt_oss(layers: u64) -> ModelFacts {
        facts(
            "gpt-oss",
            &[
                ("block_count", layers),
                ("attention.head_count", 64),
                ("attention.head_count_kv", 8),
                ("embedding_length", 2880),
                ("attention.key_length", 64),
                ("attention.value_length", 64),
                ("attention.sliding_window", 128),
                ("context_length", 131_072),
            ],
        )
    }

    /// Figures from each model's own `config.json` on the hub, under GGUF's names.
    #[test]
    fn known_models_take_what_they_are_known_to_take() {
        let cases = [
            // meta-llama/Meta-Llama-3-8B: 32 layers of 8 heads of 128.
            ("Llama 3 8B", llama3(), (131_072, 0)),
            (
                // Qwen/Qwen2.5-32B: 64 layers of 8 heads of 5120 / 40.
                "Qwen 2.5 32B",
                facts(
                    "qwen2",
                    &[
                        ("block_count", 64),
                        ("attention.head_count", 40),
                        ("attention.head_count_kv", 8),
                        ("embedding_length", 5120),
                    ],
                ),
                (262_144, 0),
            ),
            (
                // Qwen/Qwen3-30B-A3B: head_dim 128, which is not 2048 / 32.
                "Qwen 3 30B-A3B",
                facts(
                    "qwen3moe",
                    &[
                        ("block_count", 48),
                        ("attention.head_count", 32),
                        ("attention.head_count_kv", 4),
                        ("embedding_length", 2048),
                        ("attention.key_length", 128),
                        ("attention.value_length", 128),
                    ],
                ),
                (98_304, 0),
            ),
            // openai/gpt-oss-120b and -20b: every second layer has a window of 128; 128 + 512 tokens take 768 cells.
            ("gpt-oss 120B", gpt_oss(36), (18 * 2_048, 18 * 2_048 * 768)),
            ("gpt-oss 20B", gpt_oss(24), (12 * 2_048, 12 * 2_048 * 768)),
            (
                // google/gemma-3-27b-it: 62 layers of 16 heads of 128; each sixth reaches back all the way, which makes 10.
                "Gemma 3 27B",
                facts(
                    "gemma3",
                    &[
                        ("block_count", 62),
                        ("attention.head_count", 32),
                        ("attention.head_count_kv", 16),
                        ("embedding_length", 5376),
                        ("attention.key_length", 128),
                        ("attention.value_length", 128),
                        ("attention.sliding_window", 1024),
                    ],
                ),
                (10 * 8_192, 52 * 8_192 * 1_536),
            ),
            (
                // Qwen/Qwen3-Next-80B-A3B: each fourth of 48 layers has 2 heads of 256; the others a state of 32 heads of 128.
                "Qwen 3 Next 80B-A3B",
                facts(
                    "qwen3next",
                    &[
                        ("block_count", 48),
                        ("attention.head_count", 16),
                        ("attention.head_count_kv", 2),
                        ("embedding_length", 2048),
                        ("attention.key_length", 256),
                        ("attention.value_length", 256),
                        ("ssm.conv_kernel", 4),
                        ("ssm.inner_size", 4096),
                        ("ssm.state_size", 128),
                        ("ssm.group_count", 16),
                    ],
                ),
                (12 * 2_048, 36 * 4 * (3 * 8_192 + 128 * 4_096)),
            ),
            (
                // deepseek-ai/DeepSeek-V3: a latent of 512 and 64 for the position, no values.
                "DeepSeek V3",
                facts(
                    "deepseek2",
                    &[
                        ("block_count", 61),
                        ("attention.head_count", 128),
                        ("attention.head_count_kv", 1),
                        ("embedding_length", 7168),
                        ("attention.key_length", 576),
                        ("attention.value_length", 512),
                        ("attention.key_length_mla", 192),
                    ],
                ),
                (61 * 576 * 2, 0),
            ),
            (
                // state-spaces/mamba-2.8b: no attention at all.
                "Mamba 2.8B",
                facts(
                    "mamba",
                    &[
                        ("block_count", 64),
                        ("attention.head_count", 0),
                        ("embedding_length", 2560),
                        ("ssm.conv_kernel", 4),
                        ("ssm.inner_size", 5120),
                        ("ssm.state_size", 16),
                    ],
                ),
                (0, 64 * 4 * (3 * 5_120 + 16 * 5_120)),
            ),
        ];
        for (name, facts, (token, slot)) in cases {
            let shape = facts.shape(CacheSettings::default());
            assert_eq!((shape.kv_token, shape.kv_slot), (Some(token), slot), "{name}");
        }
        assert_eq!(llama3().shape(CacheSettings::default()).trained, Some(8_192));
    }

    #[test]
    fn layers_may_be_told_one_by_one() {
        let base = [
            ("block_count", 4),
            ("attention.head_count", 8),
            ("embedding_length", 512),
            ("attention.sliding_window", 256),
        ];
        let mut some = facts("gemma4", &base);
        some.learn("gemma4.attention.head_count_kv".into(), Fact::Numbers(vec![4, 4, 4, 1]));
        some.learn("gemma4.attention.sliding_window_pattern".into(), Fact::Numbers(vec![1, 1, 1, 0]));
        some.learn("gemma4.attention.key_length".into(), Fact::Number(128));
        some.learn("gemma4.attention.value_length".into(), Fact::Number(128));
        some.learn("gemma4.attention.key_length_swa".into(), Fact::Number(64));
        some.learn("gemma4.attention.value_length_swa".into(), Fact::Number(64));
        let shape = some.shape(CacheSettings::default());
        assert_eq!((shape.kv_token, shape.kv_slot), (Some(2 * 128 * 2), 3 * 768 * 2 * 4 * 64 * 2));
        // The last one uses an earlier one's cache.
        some.learn("gemma4.attention.shared_kv_layers".into(), Fact::Number(1));
        assert_eq!(some.shape(CacheSettings::default()).kv_token, Some(0));
        // Fewer than there are layers, or left out: nothing is guessed.
        some.learn("gemma4.attention.head_count_kv".into(), Fact::Numbers(vec![4, 4]));
        assert_eq!(some.shape(CacheSettings::default()).kv_token, None);
        some.learn("gemma4.attention.head_count_kv".into(), Fact::Withheld);
        assert_eq!((some.shape(CacheSettings::default()).kv_token, some.withholds()), (None, true));
    }

    #[test]
    fn a_layer_without_heads_keeps_a_state() {
        let mut hybrid = facts(
            "granitehybrid",
            &[
                ("block_count", 3),
                ("attention.head_count", 4),
                ("embedding_length", 256),
                ("ssm.conv_kernel", 4),
                ("ssm.inner_size", 512),
                ("ssm.state_size", 16),
                ("ssm.group_count", 1),
            ],
        );
        hybrid.learn("granitehybrid.attention.head_count_kv".into(), Fact::Numbers(vec![0, 2, 0]));
        let shape = hybrid.shape(CacheSettings::default());
        let state = 4 * (3 * (512 + 2 * 16) + 16 * 512);
        assert_eq!((shape.kv_token, shape.kv_slot), (Some(2 * 2 * 64 * 2), 2 * state));
    }

    #[test]
    fn a_launch_says_how_the_cache_is_kept() {
        let of = |args: &[&str], env: &[(&str, &str)]| {
            let shape = llama3().shape(CacheSettings::of(Some(&launch(args, env))));
            shape.kv_token
        };
        assert_eq!(of(&[], &[]), Some(131_072));
        assert_eq!(of(&["-ctk", "q8_0", "--cache-type-v=q4_0"], &[]), Some(32 * (1_024 * 34 / 32 + 1_024 * 18 / 32)));
        assert_eq!(of(&[], &[("OLLAMA_KV_CACHE_TYPE", "q8_0")]), Some(32 * 2 * (1_024 * 34 / 32)));
        assert_eq!(of(&[], &[("LLAMA_ARG_CACHE_TYPE_K", "F32")]), Some(32 * (4_096 + 2_048)));
        assert_eq!(of(&["-ctk", "turbo3"], &[]), None, "a kind that is not known");
        let windows = |args: &[&str]| {
            let shape = gpt_oss(36).shape(CacheSettings::of(Some(&launch(args, &[]))));
            (shape.kv_token, shape.kv_slot)
        };
        assert_eq!(windows(&["--swa-full"]), (Some(36 * 2_048), 0));
        assert_eq!(windows(&["-ub", "2048"]), (Some(18 * 2_048), 18 * 2_048 * 2_304));
    }

    #[test]
    fn what_is_not_told_or_beyond_measure_makes_no_figure() {
        assert_eq!(ModelFacts::default().shape(CacheSettings::default()), ModelShape::default());
        let mut strange = llama3();
        for n in [0, u64::MAX, 1 << 40] {
            strange.learn("llama.block_count".into(), Fact::Number(n));
            assert_eq!(strange.shape(CacheSettings::default()).kv_token, None, "{n}");
        }
        let most = u64::from(u32::MAX);
        let all =
            ["attention.head_count_kv", "attention.key_length", "ssm.inner_size", "ssm.state_size", "ssm.conv_kernel"];
        let mut large: Vec<(&str, u64)> = all.iter().map(|key| (*key, most)).collect();
        large.extend([("attention.head_count", 0), ("embedding_length", 1), ("block_count", MOST_LAYERS)]);
        large.push(("ssm.group_count", most));
        assert_eq!(facts("falcon-h1", &large).shape(CacheSettings::default()).kv_token, None);
        let none = [("attention.head_count", 0), ("embedding_length", 1), ("block_count", 1)];
        assert_eq!(facts("x", &none).shape(CacheSettings::default()).kv_token, Some(0), "no heads, no cache");
    }
}
