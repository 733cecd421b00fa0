//! Layers on a disk of their own, and the files Baton ships.

use std::path::PathBuf;

use super::*;
use crate::domain::fleet::{AttentionSettings, EnvValue, Lifetime, MachineSettings, Protocol, SecretRef};
use crate::domain::protocol::{Level, Name};

/// A home and a project in a temporary folder.
struct World {
    folder: tempfile::TempDir,
    flags: Flags,
    variables: BTreeMap<String, String>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("home/.config/baton")).unwrap();
        std::fs::create_dir_all(folder.path().join("home/work/.baton")).unwrap();
        std::fs::create_dir_all(folder.path().join("home/work/deep/er")).unwrap();
        Self { folder, flags: Flags::default(), variables: BTreeMap::new() }
    }

    fn user(self, file: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join("home/.config/baton").join(file), text).unwrap();
        self
    }

    fn project(self, file: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join("home/work/.baton").join(file), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    fn flag(mut self, flag: &str, setting: &str, value: &str) -> Self {
        self.flags.set.push(Flag { flag: flag.into(), setting: setting.into(), value: value.into() });
        self
    }

    fn fleet_file(mut self, text: &str) -> Self {
        let path = self.folder.path().join("my.toml");
        std::fs::write(&path, text).unwrap();
        self.flags.fleet = Some(path);
        self
    }

    fn load(&self) -> Result<Config, Vec<ConfigError>> {
        let home = self.folder.path().join("home");
        let surroundings = Surroundings { variables: self.variables.clone(), working: home.join("work/deep/er"), home };
        load_in(&surroundings, &self.flags)
    }

    /// The errors without the folder's name.
    fn errors(&self) -> String {
        let errors = self.load().unwrap_err();
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        text.join("\n").replace(&format!("{}/", self.folder.path().display()), "")
    }
}

#[test]
fn the_shipped_fleet_is_the_one_required() {
    let config = World::new().load().unwrap();
    let rows: Vec<String> = config
        .fleet
        .endpoints
        .iter()
        .map(|e| {
            let tier = e.tiers.iter().map(Name::as_str).collect::<Vec<_>>().join(" ");
            format!(
                "{tier} | {} | {:?} {} | {} | {} | {} | {}",
                e.title(),
                e.protocol,
                e.url,
                e.slots,
                e.context,
                e.model,
                e.memory_gb.unwrap()
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            "q4_tools | Athene V2 Agent Q4 | LlamaCpp http://127.0.0.1:8083 | 6 | 16384 | kitty-q4 | 16",
            "gptoss_reason | GPT-OSS 120B | Ollama http://127.0.0.1:11434 | 2 | 65536 | gpt-oss:120b | 80",
            "vision | Gemma 3 27B | LlamaCpp http://127.0.0.1:8086 | 4 | 8192 | kitty-vision | 18",
            "coder | Qwen 32B Q8 | LlamaCpp http://127.0.0.1:8085 | 4 | 32768 | kitty-coder | 35",
            "summary | Hermes 8B | LlamaCpp http://127.0.0.1:8084 | 4 | 8192 | kitty-summary | 5",
        ]
    );
    assert_eq!(config.fleet.slots(), 20);
    assert_eq!(config.fleet.endpoints.iter().filter_map(|e| e.memory_gb).sum::<f32>(), 154.0);
    assert!(config.warnings.is_empty());
    assert_eq!(config.settings, Settings::default());
    assert_eq!(config.console, ConsoleSettings::default());
}

#[test]
fn the_shipped_agents_are_those_required() {
    let config = World::new().load().unwrap();
    let rows: Vec<String> = config
        .fleet
        .agents
        .iter()
        .map(|a| {
            let fallback = a.fallback.as_ref().map(|f| format!(" → {f}")).unwrap_or_default();
            format!("{} {}{fallback} {} {} {}", a.name, a.tier, a.max_tokens, a.temperature, a.tools.join(" "))
        })
        .collect();
    assert_eq!(
        rows,
        [
            "researcher q4_tools 2048 0.3 web_search fetch_webpage vision.image_search",
            "reasoner gptoss_reason → q4_tools 4096 0.5 ",
            "cad_designer q4_tools 2048 0.4 generate_cad_model vision.image_search vision.store_selection",
            "fabricator q4_tools 2048 0.2 fabrication.open_in_slicer fabrication.submit_job fabrication.check_queue fabrication.segment_mesh",
            "coder coder → q4_tools 4096 0.2 ",
            "vision_analyst vision 2048 0.3 vision.analyze_image camera.snapshot",
            "analyst q4_tools 2048 0.3 memory.recall memory.store",
            "summarizer summary 512 0.3 ",
        ]
    );
    for agent in &config.fleet.agents {
        let lines = agent.prompt.trim().lines().count();
        assert!((8..=20).contains(&lines), "{}: {lines} lines", agent.name);
    }
}

#[test]
fn the_settings_file_names_every_setting() {
    let text = include_str!("../../config/baton.toml");
    for (group, value) in [
        ("session", serde_json::to_value(Settings::default()).unwrap()),
        ("attention", serde_json::to_value(AttentionSettings::default()).unwrap()),
        ("machine", serde_json::to_value(MachineSettings::default()).unwrap()),
        ("discovery", serde_json::to_value(DiscoverySettings::default()).unwrap()),
        ("console", serde_json::to_value(ConsoleSettings::default()).unwrap()),
    ] {
        for key in value.as_object().unwrap().keys() {
            let named = text.lines().any(|l| l.trim_start_matches("# ").starts_with(&format!("{key} = ")));
            assert!(named, "{group}.{key} is not in config/baton.toml");
        }
    }
}

#[test]
fn later_layers_win_value_by_value_and_say_so() {
    let world = World::new()
        .user("baton.toml", "[session]\nlevel = \"low\"\nmax_tasks = 9\nretries = 1\n")
        .project("baton.toml", "[session]\nmax_tasks = 3\n\n[console]\ntheme = \"daylight\"\n")
        .variable("BATON_RETRIES", "5")
        .variable("BATON_VOICE_SUMMARY", "true")
        .variable("BATON_LOG", "debug")
        .flag("--no-synthesis", "synthesis", "false");
    let config = world.load().unwrap();
    let s = &config.settings;
    assert_eq!((s.level, s.max_tasks, s.retries, s.synthesis, s.voice_summary), (Level::Low, 3, 5, false, true));
    assert_eq!((s.backoff_ms, config.console.theme.as_str()), (500, "daylight"));
    let origin = |path: &str| {
        let origin = config.origin(path).unwrap();
        format!("{} {} {:?}", origin.layer.word(), origin.source.rsplit('/').next().unwrap(), origin.line)
    };
    for (path, from) in [
        ("session.level", "user baton.toml Some(2)"),
        ("session.max_tasks", "project baton.toml Some(2)"),
        ("session.retries", "environment BATON_RETRIES None"),
        ("session.synthesis", "flag --no-synthesis None"),
        ("session.max_parallel", "built-in built-in baton.toml None"),
        ("console.theme", "project baton.toml Some(5)"),
    ] {
        assert_eq!(origin(path), from, "{path}");
    }
    assert!(config.show_text().contains("session.synthesis = false"));
    assert_eq!(config.show_json()["values"][0]["origin"]["layer"], "user");
}

#[test]
fn endpoints_and_agents_are_merged_by_name() {
    let config = World::new()
        .user(
            "fleet.toml",
            "[[endpoint]]\nname = \"athene\"\nslots = 8\nurl = \"http://LOCALHOST:9000/\"\n\n[[endpoint]]\nname = \"gemma\"\nremove = true\n\n[[endpoint]]\nname = \"mini\"\ntiers = [\"q4_tools\", \"vision\"]\nprotocol = \"openai\"\nurl = \"10.0.0.2:1234\"\nmodel = \"m\"\nslots = 1\ncontext = 4096\nkey = { env = \"MINI_KEY\" }\n",
        )
        .user("agents.toml", "[[agent]]\nname = \"coder\"\ntemperature = 0.7\n")
        .load()
        .unwrap();
    let names: Vec<&str> = config.fleet.endpoints.iter().map(|e| e.name.as_str()).collect();
    assert_eq!(names, ["athene", "gptoss", "qwen", "hermes", "mini"]);
    let athene = &config.fleet.endpoints[0];
    assert_eq!((athene.slots, athene.context, athene.url.as_str()), (8, 16384, "http://127.0.0.1:9000"));
    assert_eq!(config.fleet.endpoints[4].url, "http://10.0.0.2:1234");
    assert_eq!(config.fleet.agent(&Name::slug("coder")).unwrap().temperature, 0.7);
    assert_eq!(config.origin("endpoint.athene.slots").unwrap().layer, Layer::User);
    assert_eq!(config.origin("endpoint.athene.model").unwrap().layer, Layer::BuiltIn);
}

#[test]
fn a_fleet_file_replaces_the_endpoints_and_keeps_the_agents() {
    let config = World::new()
        .fleet_file("[[endpoint]]\nname = \"one\"\ntiers = [\"q4_tools\"]\nprotocol = \"llama.cpp\"\nurl = \"http://127.0.0.1:1\"\nmodel = \"m\"\nslots = 2\ncontext = 2048\n")
        .load()
        .unwrap();
    assert_eq!(config.fleet.endpoints.len(), 1);
    assert_eq!(config.fleet.endpoints[0].protocol, Protocol::LlamaCpp);
    assert_eq!(config.fleet.agents.len(), 8);
    // Tiers that nobody serves now are odd, not wrong.
    let warnings: Vec<String> = config.warnings.iter().map(|w| format!("{} | {}", w.what, w.mend)).collect();
    assert_eq!(warnings.len(), 4, "{warnings:#?}");
    assert!(
        warnings[0].starts_with("no endpoint serves the tier gptoss_reason of reasoner | its tasks go to q4_tools")
    );
    assert!(warnings[2].contains("vision_analyst") && warnings[2].contains("its tasks wait"));
}

#[test]
fn mistakes_are_named_with_place_and_mend() {
    let endpoint = "[[endpoint]]\nname = \"x\"\ntiers = [\"q4_tools\"]\nprotocol = \"openai\"\nurl = \"http://h:1\"\nmodel = \"m\"\nslots = 1\ncontext = 4096\n";
    let table: &[(World, &[&str])] = &[
        (
            World::new().user("baton.toml", "[session]\nlevle = \"low\"\n"),
            &[
                "home/.config/baton/baton.toml:2:1: `levle` is no field of [session]",
                "did you mean `level`?",
                "  2 | levle",
            ],
        ),
        (
            World::new().user("baton.toml", "level = \"low\"\n"),
            &["baton.toml:1:1: `level` has no place in this file", "under [session]"],
        ),
        (
            World::new().user("baton.toml", "[session]\nlevel = \"hihg\"\nretries = -1\n"),
            &[
                "2:9: `level` can't be `hihg`",
                "did you mean high?",
                "3:11: `retries` is the number -1, and a whole number from 0",
            ],
        ),
        (World::new().user("baton.toml", "[session\n"), &["baton.toml:1:", "this is not TOML"]),
        (
            World::new().user("baton.toml", "[session]\nplanner = \"resoner\"\ncontext_percent = 100\n"),
            &["2:11: the planner is resoner", "did you mean reasoner?", "`context_percent` is 100"],
        ),
        (World::new().user("fleet.toml", "[[endpont]]\nname = \"a\"\n"), &["did you mean `endpoint`?"]),
        (
            World::new().user("fleet.toml", "[[endpoint]]\nname = \"new\"\n"),
            &["fleet.toml:1:1: an endpoint has no `tiers`", "add `tiers = …`"],
        ),
        (
            World::new().user("fleet.toml", "[[endpoint]]\nname = \"athene\"\nslots = 0\nurl = \"ftp://x\"\n"),
            &["3:9: athene has 0 slots", "4:7: the URL of athene begins with ftp://"],
        ),
        (
            World::new().user("fleet.toml", "[[endpoint]]\nname = \"athene\"\n[[endpoint]]\nname = \"athene\"\n"),
            &["4:8: the endpoint athene is given twice in this file; first on line 2"],
        ),
        (
            World::new().user("fleet.toml", &format!("{endpoint}key = \"sk-abc123\"\n")),
            &["9:7: a key must not stand in a file", "key = { env = \"NAME\" }"],
        ),
        (
            World::new().user("fleet.toml", &format!("{endpoint}key = {{ env = \"sk-abc123\" }}\n")),
            &["a key must not stand in a file"],
        ),
        (
            World::new().user("fleet.toml", "[[endpoint]]\nname = \"athene\"\nurl = \"http://me:abc123@h:1\"\n"),
            &["3:7: a password or key must not stand in a URL"],
        ),
        (
            World::new().project("fleet.toml", &format!("{endpoint}key = {{ command = \"rm -rf abc123\" }}\n")),
            &["a project's files can't name a key"],
        ),
        (
            World::new()
                .user("fleet.toml", &format!("{endpoint}key = {{ env = \"K\" }}\n"))
                .project("fleet.toml", "[[endpoint]]\nname = \"x\"\nurl = \"http://evil\"\n"),
            &["home/work/.baton/fleet.toml:3:1: a project's files can't redirect an endpoint that has a key"],
        ),
        (
            World::new().user("agents.toml", "[[agent]]\nname = \"coder\"\ntier = \"codre\"\ntemperature = 3.0\n"),
            &[
                "agents.toml:3:8: coder is for the tier codre, which does not exist",
                "did you mean coder?",
                "4:15: the temperature of coder is 3",
            ],
        ),
        (
            World::new().variable("BATON_LEVLE", "low"),
            &["BATON_LEVLE: there is no setting `levle`", "did you mean BATON_LEVEL?"],
        ),
        (
            World::new().variable("BATON_MAX_TASKS", "many"),
            &["BATON_MAX_TASKS: `max_tasks` is text, and a whole number"],
        ),
        (World::new().flag("--set", "colour", "x"), &["--set: there is no setting `colour`", "did you mean color?"]),
    ];
    for (world, parts) in table {
        let said = world.errors();
        for part in *parts {
            assert!(said.contains(part), "{part:?} not in\n{said}");
        }
        assert!(!said.contains("abc123"), "a secret is shown:\n{said}");
    }
}

#[test]
fn a_fleet_file_that_is_not_there_is_an_error() {
    let mut world = World::new();
    world.flags.fleet = Some(PathBuf::from("nowhere/fleet.toml"));
    assert!(world.errors().contains("nowhere/fleet.toml: can't be read"));
}

#[test]
fn an_address_that_a_project_names_is_used_once_it_was_approved_as_it_stands() {
    let endpoint = |url: &str| {
        format!(
            "replace = true\n[[endpoint]]\nname = \"box\"\ntiers = [\"coder\"]\nprotocol = \"openai\"\nurl = \"{url}\"\nmodel = \"m\"\nslots = 1\ncontext = 4096\n"
        )
    };
    let world = World::new().project("fleet.toml", &endpoint("http://evil.example:1"));
    let names = |config: &Config| config.fleet.endpoints.iter().map(|e| e.name.to_string()).collect::<Vec<_>>();
    let own = names(&World::new().load().unwrap());
    let mut config = world.load().unwrap();
    assert_eq!(names(&config), own, "it replaces nothing either");
    let cautions = config.cautions();
    assert!(cautions[0].contains("http://evil.example:1") && cautions[0].contains("baton trust"), "{cautions:?}");
    config.trust.give(&config.wishes).unwrap();
    let config = world.load().unwrap();
    assert_eq!(names(&config), ["box"]);
    assert!(config.cautions().is_empty());
    // Another address is another wish.
    let world = world.project("fleet.toml", &endpoint("http://evil.example:2"));
    assert_eq!(names(&world.load().unwrap()), own);
}

#[test]
fn a_projects_folder_that_others_may_write_is_not_read_and_a_link_or_fifo_in_it_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new().project("baton.toml", "[session]\nmax_tasks = 3\n");
    let folder = world.folder.path().join("home/work/.baton");
    let mode = |mode| std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
    assert_eq!(world.load().unwrap().settings.max_tasks, 3);
    mode(0o775);
    let config = world.load().unwrap();
    assert_ne!(config.settings.max_tasks, 3);
    assert!(config.cautions()[0].contains("others may write it; `chmod -R go-w "), "{:?}", config.cautions());
    mode(0o755);
    std::fs::remove_file(folder.join("baton.toml")).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(folder.join("baton.toml")).status().unwrap();
    assert!(fifo.success() && world.errors().contains("no regular file"));
    std::fs::remove_file(folder.join("baton.toml")).unwrap();
    std::os::unix::fs::symlink(world.folder.path().join("my.toml"), folder.join("baton.toml")).unwrap();
    assert!(world.load().is_err(), "where a link leads is nobody's business");
}

#[test]
fn what_a_session_of_before_wants_is_told_from_what_is_the_operators_own() {
    let fleet = |text: &str| World::new().fleet_file(text).load().unwrap().fleet;
    let endpoint = |url: &str, more: &str| {
        format!(
            "[[endpoint]]\nname = \"box\"\ntiers = [\"coder\"]\nprotocol = \"openai\"\nurl = \"{url}\"\nmodel = \"m\"\nslots = 1\ncontext = 4096\n{more}\n"
        )
    };
    let far = "http://far.example:1";
    let sessions = std::path::Path::new("/sessions");
    let own = fleet(&endpoint(far, "key = { env = \"K\" }"));
    let asked = DiscoverySettings { ports: vec![8080, 8083], ..DiscoverySettings::default() }.addresses();
    let kinds = |text: &str| {
        wishes_of(&fleet(text), &own, &asked, sessions).into_iter().map(|wish| wish.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&endpoint(far, "key = { env = \"K\" }")), []);
    assert_eq!(kinds(&endpoint("http://127.0.0.1:8080", "")), [], "there Baton looks anyway");
    assert_eq!(kinds(&endpoint("http://127.0.0.1:1", "")), [WishKind::Address], "anybody here may listen there");
    assert_eq!(kinds(&endpoint(far, "key = { env = \"OTHER\" }")), [WishKind::Key]);
    assert_eq!(kinds(&endpoint(far, "key = { command = \"touch x\" }")), [WishKind::Key]);
    let elsewhere = kinds(&endpoint("http://evil.example:1", "key = { env = \"K\" }"));
    assert_eq!(elsewhere, [WishKind::Address, WishKind::Key], "the same key to another address");
    // What only says that it is simulated, and would be asked all the same.
    let simulated = endpoint("http://127.0.0.1:1", "nature = \"simulated\"");
    assert_eq!(kinds(&simulated), []);
    assert_eq!(kinds(&simulated.replace("\"openai\"", "\"command\"")), [WishKind::Address]);
    let mut twice = fleet(&simulated);
    twice.endpoints.push(twice.endpoints[0].clone());
    assert!(!wishes_of(&twice, &own, &asked, sessions).is_empty());
    let launch = endpoint("http://127.0.0.1:8083", "[endpoint.launch]\ncommand = \"touch\"\nargs = [\"x\"]");
    assert_eq!(kinds(&launch), [WishKind::Launch]);
}

#[test]
fn folders_follow_xdg_where_it_is_absolute() {
    let world = World::new();
    let home = world.folder.path().join("home");
    let find = |variables: &[(&str, &str)]| {
        let variables = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Paths::find(&Surroundings { variables, working: home.join("work/deep/er"), home: home.clone() })
    };
    let paths = find(&[("XDG_STATE_HOME", "relative")]);
    assert_eq!(paths.config, home.join(".config/baton"));
    assert_eq!(paths.sessions, home.join(".local/state/baton/sessions"));
    assert_eq!(paths.project, ProjectFolder::Found(home.join("work/.baton")));
    let paths = find(&[("XDG_STATE_HOME", "/s"), ("XDG_CONFIG_HOME", "/c"), ("XDG_RUNTIME_DIR", "/r")]);
    assert_eq!(
        (paths.config, paths.log, paths.run),
        ("/c/baton".into(), "/s/baton/baton.log".into(), "/r/baton".into())
    );
    // Another program of that name keeps its own files so: they are left alone, and what is above is found.
    let theirs = home.join("work/deep/.baton");
    std::fs::create_dir_all(&theirs).unwrap();
    std::fs::write(home.join("work/.baton/fleet.toml"), "").unwrap();
    assert_eq!(find(&[]).project, ProjectFolder::Found(theirs.clone()), "an empty one may be meant for us");
    std::fs::write(theirs.join("HANDOFF.md"), "# Where I stopped").unwrap();
    assert_eq!(find(&[]).project, ProjectFolder::Found(home.join("work/.baton")));
    std::fs::write(theirs.join("agents.toml"), "").unwrap();
    assert_eq!(find(&[]).project, ProjectFolder::Found(theirs));
    std::fs::remove_dir_all(home.join("work/deep/.baton")).unwrap();
    // A git repository ends the search.
    std::fs::create_dir_all(home.join("work/deep/.git")).unwrap();
    assert_eq!(find(&[]).project, ProjectFolder::Absent(home.join("work/deep/er/.baton")));
    assert!(show_paths(&find(&[])).iter().any(|l| l.what == "config" && l.exists));
}

#[test]
fn the_schemas_take_the_shipped_files_and_refuse_mistakes() {
    let schemas = schemas();
    for (schema, text) in [
        (&schemas.fleet, include_str!("../../config/fleet.toml")),
        (&schemas.agents, include_str!("../../config/agents.toml")),
        (&schemas.baton, include_str!("../../config/baton.toml")),
        (&schemas.fleet, "[[endpoint]]\nname = \"athene\"\nremove = true\n"),
    ] {
        let value: serde_json::Value = toml::from_str(text).unwrap();
        let errors: Vec<String> =
            jsonschema::validator_for(schema).unwrap().iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
    let wrong: serde_json::Value = toml::from_str("[session]\nlevle = 1\n").unwrap();
    assert!(!jsonschema::validator_for(&schemas.baton).unwrap().is_valid(&wrong));
}

/// The shipped athene with a launch of these lines.
fn launched(lines: &str) -> World {
    World::new().user("fleet.toml", &format!("[[endpoint]]\nname = \"athene\"\n[endpoint.launch]\n{lines}"))
}

#[test]
fn a_launch_is_read_with_what_it_leaves_out() {
    let text = "command = \"llama-server\"\nargs = [\"-np\", \"6\", \"-c\", \"98304\", \"--port\", \"8083\"]\nlifetime = \"kept\"\n\
        env = { OMP_NUM_THREADS = \"8\", LLAMA_API_KEY = { env = \"MY_KEY\" } }\n";
    let config = launched(text).load().unwrap();
    let athene = &config.fleet.endpoints[0];
    let launch = athene.launch.as_ref().unwrap();
    assert_eq!((launch.lifetime, launch.ready_seconds, launch.restarts), (Lifetime::Kept, 600, 5));
    assert_eq!(launch.env.get("LLAMA_API_KEY"), Some(&EnvValue::Secret(SecretRef::Env("MY_KEY".into()))));
    let odd: Vec<_> = config.warnings.iter().filter(|w| w.what.contains("athene")).collect();
    assert!(odd.is_empty(), "sizes that fit are no warning: {odd:?}");
    let value: serde_json::Value =
        toml::from_str(&format!("[[endpoint]]\nname = \"athene\"\n[endpoint.launch]\n{text}")).unwrap();
    assert!(jsonschema::validator_for(&schemas().fleet).unwrap().is_valid(&value));
    let wrong: serde_json::Value =
        toml::from_str("[[endpoint]]\nname = \"a\"\n[endpoint.launch]\ncommand = \"x\"\nlifetime = \"long\"\n")
            .unwrap();
    assert!(!jsonschema::validator_for(&schemas().fleet).unwrap().is_valid(&wrong));
}

#[test]
fn a_launch_that_does_not_fit_is_said_with_place_and_mend() {
    let table: &[(World, &[&str])] = &[
        (launched("args = []\n"), &["`launch` has no `command`", "add `command = …`"]),
        (launched("command = \"\"\n"), &["4:11: the launch of athene has no command"]),
        (launched("command = \"ollama serve\"\n"), &["no shell reads it", "into `args`, one each"]),
        (launched("command = \"x\"\nlifetime = \"keep\"\n"), &["5:12: `lifetime` can't be `keep`", "session, kept"]),
        (launched("command = \"x\"\ncwd = \"models\"\n"), &["5:7: the folder of athene depends", "~/models"]),
        (launched("command = \"x\"\nenv = { A = 1 }\n"), &["fleet.toml:5:", "{ env = \"NAME\" }"]),
        (launched("command = \"x\"\nenv = { \"A=B\" = \"1\" }\n"), &["is no name of a variable"]),
        (launched("command = \"x\"\nenv = { HF_TOKEN = \"abc123\" }\n"), &["the value of HF_TOKEN must not stand in a file"]),
        (
            launched("command = \"x\"\nargs = [\n\"--api-key\",\n\"abc123\"]\n"),
            &["6:1: the value of --api-key must not stand in a file", "LLAMA_API_KEY"],
        ),
        (launched("command = \"x\"\nargs = [\"--api-key=abc123\"]\n"), &["the value of --api-key must not"]),
        (launched("command = \"x\"\nready_seconds = 0\n"), &["5:17: athene must answer within 0 seconds"]),
        (
            World::new().user("fleet.toml", "[[endpoint]]\nname = \"athene\"\nurl = \"http://10.0.0.2:1\"\nlaunch = { command = \"x\" }\n"),
            &["athene is at 10.0.0.2, and Baton starts servers on this machine only"],
        ),
        (
            World::new().user(
                "fleet.toml",
                "[[endpoint]]\nname = \"athene\"\nlaunch = { command = \"x\" }\n[[endpoint]]\nname = \"hermes\"\nurl = \"http://127.0.0.1:8083\"\nlaunch = { command = \"x\" }\n",
            ),
            &["7:22: hermes and athene both launch a server at port 8083", "one server serves both"],
        ),
        (
            World::new().project("fleet.toml", "[[endpoint]]\nname = \"athene\"\nlaunch = { command = \"rm\" }\n"),
            &["3:1: a project's files can't launch a server"],
        ),
        (
            World::new().project("baton.toml", "[discovery]\nhosts = [\"evil.example\"]\n"),
            &["1:2: a project's files can't say where model servers are looked for", "your own config folder"],
        ),
        (
            World::new().user("baton.toml", "[discovery]\nhosts = [\"mac.local\", \"http://me:abc123@mac.local\"]\n"),
            &["2:23: \"mac.local\" holds more than an address", "take user, password and query out"],
        ),
        (
            World::new().user("baton.toml", "[discovery]\nports = [8080, 0]\nremote_ms = 5\n"),
            &["2:9: 0 is no port", "3:13: `remote_ms` is 5"],
        ),
    ];
    for (world, parts) in table {
        let said = world.errors();
        for part in *parts {
            assert!(said.contains(part), "{part:?} not in\n{said}");
        }
        assert!(!said.contains("abc123"), "a secret is shown:\n{said}");
    }
}

#[test]
fn a_launch_with_other_sizes_than_its_endpoint_is_warned_of() {
    let config = launched("command = \"llama-server\"\nargs = [\"-np\", \"2\", \"-c=16384\", \"--port\", \"8080\"]\n")
        .load()
        .unwrap();
    let said: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    for part in [
        "athene is started with 2 slots, and `slots` is 6",
        "start it with -c 98304 (context × slots)",
        "started at port 8080 and asked at port 8083",
    ] {
        assert!(said.iter().any(|warning| warning.contains(part)), "{part:?} not in {said:#?}");
    }
}

#[test]
fn what_a_file_says_for_this_machine_is_laid_over_the_rest_of_it() {
    let world = || {
        World::new()
            .user(
                "fleet.toml",
                "[[endpoint]]\nname = \"athene\"\nslots = 3\n\n[[host.\"mac-studio\".endpoint]]\nname = \"athene\"\nslots = 8\n\n\
                 [[host.laptop.endpoint]]\nname = \"athene\"\nslots = 0\nslosts = 1\n",
            )
            .user(
                "baton.toml",
                "[session]\nmax_tasks = 5\nretries = 1\n[host.\"Mac-Studio.local\".session]\nretries = 4\n[host.nobody.consoles]\nx = 1\n",
            )
    };
    let slots = |config: &Config| config.fleet.endpoint(&Name::slug("athene")).map(|e| e.slots);
    let here = world().variable("BATON_HOST", "MAC-STUDIO.local").load().unwrap();
    assert_eq!((slots(&here), here.settings.retries, here.settings.max_tasks), (Some(8), 4, 5));
    let origin = here.origin("endpoint.athene.slots").unwrap();
    assert!(origin.layer == Layer::User && origin.line == Some(7), "{origin:?}");
    assert!(origin.source.ends_with("fleet.toml (host mac-studio)"), "{origin:?}");
    assert!(here.origin("session.max_tasks").unwrap().source.ends_with("baton.toml"));
    assert!(here.show_text().contains("baton.toml (host Mac-Studio.local):5"), "{}", here.show_text());
    // What is said for others is nothing here, right or wrong.
    let elsewhere = world().variable("BATON_HOST", "elsewhere").load().unwrap();
    assert_eq!((slots(&elsewhere), elsewhere.settings.retries), (Some(3), 1));
    // There it is a mistake with its place.
    let there = world().variable("BATON_HOST", "laptop").errors();
    assert!(there.contains("fleet.toml (host laptop):12:1"), "{there}");
    // And whoever asks for all of it is told all.
    let world = world().variable("BATON_HOST", "elsewhere");
    let home = world.folder.path().join("home");
    let surroundings = Surroundings { variables: world.variables.clone(), working: home.join("work"), home };
    let all: Vec<String> = mistakes(&surroundings, &Flags::default()).iter().map(ToString::to_string).collect();
    let all = all.join("\n");
    assert!(all.contains("(host laptop):12:1") && all.contains("(host nobody):6:"), "{all}");
    assert_eq!(hosts_named(&surroundings, &Flags::default()), ["laptop", "mac-studio", "mac-studio.local", "nobody"]);
}

#[test]
fn a_projects_table_for_a_machine_may_no_more_than_the_project() {
    let wrong = World::new()
        .variable("BATON_HOST", "box")
        .user("fleet.toml", "[[endpoint]]\nname = \"athene\"\nkey = { env = \"K\" }\n")
        .project("fleet.toml", "[[host.box.endpoint]]\nname = \"athene\"\nurl = \"http://elsewhere:1\"\n")
        .errors();
    assert!(wrong.contains("can't redirect an endpoint that has a key"), "{wrong}");
    let config = World::new()
        .variable("BATON_HOST", "box")
        .project("fleet.toml", "[[host.box.endpoint]]\nname = \"theirs\"\nurl = \"http://elsewhere:1\"\nmodel = \"m\"\ntiers = [\"q4_tools\"]\nslots = 1\ncontext = 4096\nprotocol = \"openai\"\n")
        .load()
        .unwrap();
    assert_eq!(config.left_out().count(), 1);
    for (file, text) in [("baton.toml", "host = 3\n"), ("agents.toml", "[host]\nbox = 1\n")] {
        let wrong = World::new().user(file, text).errors();
        assert!(wrong.contains("a table"), "{wrong}");
    }
}

#[test]
fn a_fleet_file_with_tables_for_machines_replaces_the_fleet_once() {
    let endpoint = |head: &str, name: &str| {
        format!(
            "[[{head}]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:1\"\nmodel = \"m\"\ntiers = [\"q4_tools\"]\nslots = 1\ncontext = \
             4096\nprotocol = \"openai\"\n"
        )
    };
    let text = endpoint("endpoint", "one") + &endpoint("host.box.endpoint", "two");
    let names = |host: &str| {
        let config = World::new().variable("BATON_HOST", host).fleet_file(&text).load().unwrap();
        config.fleet.endpoints.iter().map(|e| e.name.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((names("box"), names("other")), ("one two".to_owned(), "one".to_owned()));
}

#[test]
fn the_schemas_know_tables_for_machines() {
    let all = schemas();
    for schema in [&all.fleet, &all.agents, &all.baton] {
        let validator = jsonschema::validator_for(schema).unwrap();
        let valid = |text: &str| {
            validator.is_valid(&serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap())
        };
        assert!(valid("[host.\"mac-studio\"]\n"));
        assert!(!valid("[host.box]\nslosts = 1\n") && !valid("host = 1\n") && !valid("[host.box.host.box]\n"));
    }
    let validator = jsonschema::validator_for(&all.baton).unwrap();
    assert!(validator.is_valid(&serde_json::json!({"host": {"box": {"session": {"retries": 3}}}})));
    assert!(!validator.is_valid(&serde_json::json!({"host": {"box": {"session": {"retires": 3}}}})));
}
