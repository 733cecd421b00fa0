//! The file of what was found: read back as it was meant, named as configured, never over another one.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::config::{Flags, Surroundings, load_in};
use crate::domain::fleet::{Fleet, SecretRef};
use crate::domain::protocol::LevelSupport;
use crate::engine::providers::{FoundModel, Loaded, Readiness, ServerKind};

/// The configuration of a home with this fleet.toml; its errors and warnings in words.
fn load(home: &Path, fleet: &str) -> Result<Config, String> {
    let folder = home.join(".config/baton");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("fleet.toml"), fleet).unwrap();
    let surroundings = Surroundings { variables: BTreeMap::new(), working: home.to_owned(), home: home.to_owned() };
    let words = |all: &[crate::config::ConfigError]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    load_in(&surroundings, &Flags::default()).map_err(|errors| words(&errors))
}

fn bare() -> Config {
    load(tempfile::tempdir().unwrap().path(), "").unwrap()
}

/// The fleet that the file of this draft gives, loaded without a warning.
#[track_caller]
fn read_back(text: &str) -> Fleet {
    let home = tempfile::tempdir().unwrap();
    let config = load(home.path(), text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    assert_eq!(config.warnings, [], "{text}");
    config.fleet
}

fn server(url: &str, kind: ServerKind, models: Vec<FoundModel>) -> Found {
    Found { url: url.to_owned(), kind, readiness: Readiness::Serves, models, version: None }
}

fn model(name: &str) -> FoundModel {
    FoundModel { slots: Some(2), context: Some(4096), loaded: Loaded::Yes, ..FoundModel::named(name) }
}

const HOSTILE: [&str; 9] = [
    "a\"]\nlaunch = { command = \"rm\" }\n[[endpoint]]",
    "'''\n\"\"\"\\",
    "tab\tnul\u{0}esc\u{1b}[31m",
    "\u{202e}txet desrever",
    "/models/ünïcödé 模型.gguf",
    "#not a comment",
    "{{env}}",
    "a\r\nb",
    "\u{7f}",
];

#[test]
fn every_name_a_server_may_give_is_read_back_as_it_is() {
    let found: Vec<Found> = HOSTILE
        .iter()
        .enumerate()
        .map(|(i, name)| server(&format!("http://127.0.0.1:{}", 9000 + i), ServerKind::Vllm, vec![model(name)]))
        .collect();
    let draft = draft(&bare(), &found, "ho\"st\n");
    let text = file::text(&draft, "2026-01-02");
    let fleet = read_back(&text);
    assert_eq!(fleet.name, "ho\"st\n");
    assert_eq!(fleet.endpoints, draft.endpoints().cloned().collect::<Vec<_>>());
    let models: Vec<&str> = fleet.endpoints.iter().map(|e| e.model.as_str()).collect();
    assert_eq!(models, HOSTILE);
    assert!(fleet.endpoints.iter().all(|e| e.launch.is_none()));
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "a control or an override stands in the file");
}

#[test]
fn what_was_left_out_is_listed_in_comments_that_nothing_can_end() {
    let unused = HOSTILE.iter().map(|name| FoundModel { loaded: Loaded::No, ..model(name) });
    let models = std::iter::once(model("llama-70b")).chain(unused).collect();
    let locked = Found { readiness: Readiness::WantsKey, ..server("http://mac:1", ServerKind::LiteLlm, Vec::new()) };
    let draft = draft(&bare(), &[server("http://127.0.0.1:11434", ServerKind::Ollama, models), locked], "n");
    let text = file::text(&draft, "2026-01-02");
    let fleet = read_back(&text);
    // The one that looks as if it had 31 million parameters is for summaries.
    assert_eq!(fleet.endpoints.len(), 2);
    assert!(
        text.contains("# Also there and not used") && text.contains("# LiteLLM at http://mac:1 wants a key"),
        "{text}"
    );
    assert!(text.contains("# LACKING: nothing found is for the tier vision"), "{text}");
}

#[test]
fn slots_and_context_are_what_was_told_and_what_was_not_is_said() {
    let told = model("qwen-70b");
    let untold = FoundModel { slots: None, context: None, ..model("llama-8b") };
    let found = [
        server("http://127.0.0.1:8080", ServerKind::LlamaCpp, vec![told]),
        server("https://front.example/llama", ServerKind::LlamaSwap, vec![untold]),
    ];
    let text = file::text(&draft(&bare(), &found, "n"), "2026-01-02");
    let fleet = read_back(&text);
    let figures: Vec<(u32, u32)> = fleet.endpoints.iter().map(|e| (e.slots, e.context)).collect();
    assert_eq!(figures, [(2, 4096), (1, 8192)]);
    assert_eq!(fleet.endpoints[1].url, "https://front.example/llama");
    assert!(text.contains("# requests at once") && text.contains("concurrencyLimit"), "{text}");
    assert!(text.contains("not told, so small"), "{text}");
}

const OWN: &str = r#"
name = "attic"
replace = true
[[endpoint]]
name = "front"
title = "The front"
tiers = ["coder", "vision"]
protocol = "openai"
url = "https://front.example/llama/v1"
model = "big"
slots = 12
context = 32768
key = { env = "FRONT_KEY" }
memory_gb = 42.1
level = "graded"
[[endpoint]]
name = "mini"
tiers = ["summary"]
protocol = "llama.cpp"
url = "http://127.0.0.1:8084"
model = "old-name"
slots = 2
context = 8192
[endpoint.launch]
command = "llama-server"
args = ["-m", "~/a \"b\".gguf"]
env = { HF_TOKEN = { env = "HF_TOKEN" } }
[[endpoint]]
name = "asleep"
tiers = ["q4_tools", "gptoss_reason"]
protocol = "ollama"
url = "http://mac.local:11434"
model = "x"
slots = 1
context = 4096
"#;

#[test]
fn the_operator_s_own_endpoints_keep_what_only_they_know() {
    let home = tempfile::tempdir().unwrap();
    let config = load(home.path(), OWN).unwrap();
    let found = [
        server("https://front.example/llama", ServerKind::LiteLlm, vec![FoundModel { slots: None, ..model("big") }]),
        server("http://127.0.0.1:8084", ServerKind::LlamaCpp, vec![model("new-name")]),
    ];
    let draft = draft(&config, &found, &name(&config));
    let text = file::text(&draft, "2026-01-02");
    let fleet = read_back(&text);
    assert_eq!(fleet.name, "attic");
    let by_name = |name: &str| fleet.endpoints.iter().find(|e| e.name.as_str() == name).unwrap();
    let (front, mini, asleep) = (by_name("front"), by_name("mini"), by_name("asleep"));
    assert_eq!((front.slots, front.context, front.memory_gb), (12, 4096, Some(42.1)));
    assert_eq!(front.key, Some(SecretRef::Env("FRONT_KEY".to_owned())));
    assert_eq!((front.level, front.tiers.len()), (Some(LevelSupport::Graded), 2));
    assert_eq!((mini.model.as_str(), mini.slots), ("new-name", 2));
    assert_eq!(mini.launch, config.fleet.endpoints[1].launch);
    assert_eq!(asleep, &config.fleet.endpoints[2]);
    assert!(text.contains("# It did not answer"), "{text}");
}

#[test]
fn a_cloned_folder_gets_nothing_into_the_operator_s_file() {
    let home = tempfile::tempdir().unwrap();
    let project = home.path().join(".baton");
    fs::create_dir_all(&project).unwrap();
    fs::write(
        project.join("fleet.toml"),
        OWN.replace("key = { env = \"FRONT_KEY\" }", "").split("[endpoint.launch]").next().unwrap(),
    )
    .unwrap();
    let mut config = load(home.path(), "").unwrap();
    assert!(config.fleet.endpoints.iter().all(|e| e.name.as_str() != "front"), "nobody approved it");
    config.trust.give(&config.wishes).unwrap();
    let config = load(home.path(), "").unwrap();
    assert!(config.fleet.endpoints.iter().any(|e| e.name.as_str() == "front"), "the project is read");
    let found = [server("http://127.0.0.1:8084", ServerKind::LlamaCpp, vec![model("old-name")])];
    let draft = draft(&config, &found, &name(&config));
    let names: Vec<&str> = draft.endpoints().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["old-name"]);
    assert!(addresses(&InitArgs::default(), &config).unwrap().iter().all(|a| !a.url.contains("front.example")));
}

#[test]
fn built_in_names_are_for_the_models_they_stand_beside() {
    let athene = server("http://127.0.0.1:8083", ServerKind::LlamaCpp, vec![model("kitty-q4")]);
    let other = server("http://127.0.0.1:8084", ServerKind::LlamaCpp, vec![model("some-other-7b")]);
    let draft = draft(&bare(), &[athene, other], "n");
    let names: Vec<&str> = draft.endpoints().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["athene", "some-other-7b"]);
    let first = draft.endpoints().next().unwrap();
    assert_eq!((first.title(), first.slots, first.context), ("Athene V2 Agent Q4", 2, 4096));
}

#[test]
fn of_many_models_those_in_memory_and_those_named_get_an_endpoint() {
    let ollama = |models: &[(&str, Loaded)]| {
        let models = models.iter().map(|(name, loaded)| FoundModel { loaded: *loaded, ..model(name) });
        [server("http://127.0.0.1:11434", ServerKind::Ollama, models.collect())]
    };
    let names =
        |found: &[Found]| -> Vec<String> { draft(&bare(), found, "n").endpoints().map(|e| e.model.clone()).collect() };
    let (yes, no) = (Loaded::Yes, Loaded::No);
    // Of two for the same work one is used, and what is in memory goes first.
    assert_eq!(names(&ollama(&[("a", no), ("b", yes), ("c", yes), ("nomic-embed", yes)])), ["b"]);
    assert_eq!(names(&ollama(&[("nomic-embed", yes), ("a", no), ("b", no)])), ["a"]);
    let mut named = names(&ollama(&[("a", no), ("gpt-oss:120b", no)]));
    named.retain(|name| name != "a");
    assert_eq!(named, ["gpt-oss:120b"], "the built-in fleet names it");
    let mlx =
        server("http://127.0.0.1:8080", ServerKind::Mlx, vec![FoundModel::named("p/one"), FoundModel::named("p/two")]);
    assert_eq!(names(&[mlx]), ["default_model"]);
    // Two of one name are told apart.
    let twins: Vec<Found> =
        [1, 2].map(|n| server(&format!("http://mac{n}:8080"), ServerKind::LlamaCpp, vec![model("m")])).to_vec();
    let twins: Vec<String> = draft(&bare(), &twins, "n").endpoints().map(|e| e.name.to_string()).collect();
    assert_eq!(twins, ["m", "m-2"]);
}

#[test]
fn four_models_of_one_ollama_share_the_work() {
    let models = [("qwen3:8b", false), ("gemma3:12b", true), ("qwen2.5-coder:14b", false), ("llama3.2:3b", false)];
    let models = models.map(|(name, vision)| FoundModel {
        loaded: Loaded::No,
        vision: Some(vision),
        tools: Some(!vision),
        level: Some(if name.starts_with("qwen3") { LevelSupport::Switch } else { LevelSupport::None }),
        ..FoundModel::named(name)
    });
    // Elsewhere, so that this machine's memory decides nothing.
    let found = [server("http://mac.local:11434", ServerKind::Ollama, models.to_vec())];
    let draft = draft(&bare(), &found, "n");
    let text = file::text(&draft, "2026-01-02");
    let tiers: Vec<(String, Vec<String>)> = read_back(&text)
        .endpoints
        .iter()
        .map(|e| (e.model.clone(), e.tiers.iter().map(ToString::to_string).collect()))
        .collect();
    let is = |model: &str, tiers: &[&str]| (model.to_owned(), tiers.iter().map(|t| (*t).to_owned()).collect());
    assert_eq!(
        tiers,
        [
            is("qwen3:8b", &["q4_tools", "gptoss_reason"]),
            is("gemma3:12b", &["vision"]),
            is("qwen2.5-coder:14b", &["coder"]),
            is("llama3.2:3b", &["summary"]),
        ],
        "{text}"
    );
    assert!(draft.lacking.is_empty() && draft.left.is_empty());
    assert!(text.contains("# any work · reasoning"), "{text}");
}

#[test]
fn a_key_that_is_wanted_is_a_comment_to_fill_in() {
    let locked = |url: &str, kind, models| Found { readiness: Readiness::WantsKey, ..server(url, kind, models) };
    let found = [
        locked("http://127.0.0.1:8090", ServerKind::LlamaCpp, vec![FoundModel { slots: None, ..model("llama-70b") }]),
        locked("http://127.0.0.1:4000", ServerKind::LiteLlm, Vec::new()),
    ];
    let text = file::text(&draft(&bare(), &found, "n"), "2026-01-02");
    let fleet = read_back(&text);
    assert_eq!((fleet.endpoints.len(), fleet.endpoints[0].slots), (1, 1), "{text}");
    for words in [
        "# key = { env = \"LLAMA_70B_KEY\" }",
        "# not told without its key",
        "# url = \"http://127.0.0.1:4000\"",
        "# key = { env = \"LITELLM_4000_KEY\" }",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // With the marks taken off it is a fleet file.
    let freed = text.replace("# key", "key").replace("# [[", "[[");
    let fields = ["name", "tiers", "protocol", "url", "model", "slots", "context"];
    let freed =
        fields.iter().fold(freed, |text, field| text.replace(&format!("\n# {field} ="), &format!("\n{field} =")));
    let freed = freed.replace("model = \"\"", "model = \"gpt\"");
    assert_eq!(read_back(&freed).endpoints.len(), 2, "{freed}");
    // In a session begun without a file it is not used: it would refuse each request.
    assert!(crate::interface::cli::offer::offered(&found[0]).is_empty());
}

#[test]
fn adapters_are_named() {
    let model = FoundModel { adapters: vec!["sql".to_owned(), "a\nb".to_owned()], ..model("base") };
    let text =
        file::text(&draft(&bare(), &[server("http://gpu:8000", ServerKind::Vllm, vec![model])], "n"), "2026-01-02");
    assert_eq!(read_back(&text).endpoints.len(), 1);
    assert!(text.contains("# also serves sql, a b"), "{text}");
}

#[test]
fn every_address_that_was_named_has_its_line() {
    let args = InitArgs {
        host: ["127.0.0.1:9999", "127.0.0.1:9106", "http://gw.example", "mac.local", "127.0.0.1:9089"]
            .map(str::to_owned)
            .to_vec(),
        ..InitArgs::default()
    };
    let config = bare();
    let addresses = addresses(&args, &config).unwrap();
    let mut heard = Heard::default();
    let locked = Found {
        readiness: Readiness::WantsKey,
        ..server("http://127.0.0.1:9089", ServerKind::LlamaCpp, vec![model("m")])
    };
    for address in &addresses {
        use crate::engine::providers::Stranger;
        use crate::interface::cli::choose::Listener as _;
        let stranger = match address.url.as_str() {
            "http://127.0.0.1:9106" => {
                Stranger::Other("answers 404 (it says SimpleHTTP/0.6): it is no model server".into())
            }
            "http://127.0.0.1:9089" => continue,
            "http://mac.local:8000" => Stranger::Other("answers a page".into()),
            _ => Stranger::Silent("nothing is there: the connection is refused".into()),
        };
        heard.stranger(address, &stranger);
    }
    let lines = said(&addresses, &named(&args, &config), &[locked], &heard);
    let ports = config.discovery.ports.len();
    assert_eq!(
        lines,
        [
            "http://127.0.0.1:9999 nothing is there: the connection is refused",
            "http://127.0.0.1:9106 answers 404 (it says SimpleHTTP/0.6): it is no model server",
            "http://gw.example nothing is there: the connection is refused",
            "http://mac.local:8000 answers a page",
            "http://127.0.0.1:9089: llama.cpp, it wants a key: `key = { env = \"NAME\" }` in its endpoint",
            &format!(
                "mac.local: nothing is there: the connection is refused, on {} of {ports} ports that were asked",
                ports - 1
            ),
        ]
    );
}

#[test]
fn a_file_that_is_there_stays_whatever_happens() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("deep/er/fleet.toml");
    assert_eq!(write(&path, "one", Existing::Refused).unwrap().old, None);
    let refused = write(&path, "two", Existing::Refused).unwrap_err();
    assert!(matches!(refused, CliError::FleetFileExists(_)) && refused.exit() == Exit::Usage);
    assert_eq!(fs::read_to_string(&path).unwrap(), "one");
    for (text, old) in [("two", "fleet.toml.bak"), ("three", "fleet.toml.bak2")] {
        let kept = write(&path, text, Existing::KeptBeside).unwrap();
        assert_eq!(kept.old.unwrap().file_name().unwrap(), old);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
    assert_eq!(fs::read_to_string(path.with_file_name("fleet.toml.bak")).unwrap(), "one");
    // A link stays a link.
    let link = home.path().join("link.toml");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    write(&link, "four", Existing::KeptBeside).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&path).unwrap(), "four");
}
