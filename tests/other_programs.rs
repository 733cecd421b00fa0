//! Files of other programs, given to the built binary as a plan, as a fleet and as a goal: one sentence each that says what
//! the file is, and whose commands exist and do what the sentence says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What can be made of a file, by the commands that its sentences name.
#[derive(Clone, Copy, PartialEq)]
enum Makes {
    /// A plan, by a model that reads it.
    Plan,
    /// A fleet file, of the servers at this address.
    Fleet(&'static str),
    /// Neither.
    Nothing,
}

const FILES: &[(&str, &str, Makes)] = &[
    ("ci.yml", "a GitHub workflow", Makes::Plan),
    ("docker-compose.yml", "a compose file", Makes::Nothing),
    ("agents.yaml", "CrewAI's agents", Makes::Plan),
    ("tasks.yaml", "CrewAI's tasks", Makes::Plan),
    ("dag.yaml", "a Dagu workflow", Makes::Plan),
    ("process-compose.yaml", "a process-compose file", Makes::Nothing),
    ("Taskfile.yml", "a Taskfile", Makes::Plan),
    ("Makefile", "a Makefile", Makes::Plan),
    ("justfile", "a justfile", Makes::Plan),
    ("tasks.json", "a task list of Task Master", Makes::Plan),
    ("prd.json", "a PRD in JSON", Makes::Plan),
    ("prd.md", "a text in Markdown", Makes::Plan),
    ("package.json", "a package.json", Makes::Nothing),
    ("llama-swap.yaml", "llama-swap's configuration", Makes::Fleet("--port 8080 ")),
    ("litellm.yaml", "LiteLLM's configuration", Makes::Fleet("--host http://localhost:11434 ")),
    ("opencode.json", "opencode's configuration", Makes::Fleet("--host http://127.0.0.1:1234/v1 ")),
    ("Modelfile", "a Modelfile of Ollama", Makes::Nothing),
    ("mcp.json", "a list of tool servers (MCP)", Makes::Nothing),
    ("playbook.yml", "an Ansible playbook", Makes::Plan),
    ("deployment.yaml", "a Kubernetes manifest", Makes::Nothing),
    ("gitlab.yml", "a GitLab CI file", Makes::Plan),
    ("n8n.json", "an n8n workflow", Makes::Plan),
    ("langgraph.json", "a LangGraph configuration", Makes::Nothing),
    ("pyproject.toml", "a pyproject.toml", Makes::Nothing),
];

struct Home(tempfile::TempDir);

impl Home {
    /// With a copy of every file.
    fn new() -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        let from = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/other_programs");
        for (file, ..) in FILES {
            std::fs::copy(from.join(file), home.path().join(file)).unwrap();
        }
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn baton(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_baton"));
        command.args(args).current_dir(self.path()).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        for (name, folder) in
            [("HOME", "."), ("XDG_CONFIG_HOME", "c"), ("XDG_STATE_HOME", "s"), ("XDG_RUNTIME_DIR", "r")]
        {
            command.env(name, self.path().join(folder));
        }
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }
}

/// What is said of a file: one sentence with its mend, and nothing else.
#[track_caller]
fn one_sentence<'a>(said: &'a str, file: &str, name: &str) -> &'a str {
    let mut lines = said.lines().map(|line| line.trim_start_matches("baton: "));
    let first = lines.next().unwrap_or_default();
    assert!(first.starts_with(&format!("{file}:1:1: this is {name}, ")), "{file}: {said}");
    let mend = lines.next().unwrap_or_default().trim_start();
    assert!(mend.starts_with("mend: ") && lines.next().is_none(), "{file}: more than a sentence:\n{said}");
    mend
}

#[test]
fn each_is_told_as_what_it_is_wherever_it_is_given() {
    let home = Home::new();
    for (file, name, makes) in FILES {
        let plan = format!("`baton plan {file} > plan.yaml`");
        // As a plan.
        let (code, out, said) = home.baton(&["check", file]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{file}: {said}");
        let mend = one_sentence(&said, file, name);
        match makes {
            Makes::Plan => assert!(mend.contains(&plan), "{mend}"),
            Makes::Fleet(at) => {
                assert!(mend.contains(&format!("`baton fleet init {at}--output fleet.toml`")), "{mend}")
            }
            Makes::Nothing => assert!(mend.contains('`'), "{mend}"),
        }
        // As a fleet.
        let (code, _, said) = home.baton(&["config", "show", "--fleet", file]);
        assert_eq!(code, Some(2), "{file}: {said}");
        let mend = one_sentence(&said, file, name);
        match makes {
            Makes::Fleet(at) => {
                assert!(mend.contains(&format!("`baton fleet init {at}--output fleet.toml`")), "{mend}")
            }
            _ => assert!(mend.contains("`baton fleet init --output fleet.toml`"), "{mend}"),
        }
        // As a goal: what says what is to be done is planned, and nothing else, which may hold keys, is sent anywhere.
        if *makes != Makes::Plan {
            let (code, out, said) = home.baton(&["plan", file, "--fleet", "sim"]);
            assert_eq!((code, out.as_str()), (Some(2), ""), "{file}: {said}");
            one_sentence(&said, file, name);
        }
        // To be run: a text is a goal, another program's file is not.
        if *file != "prd.md" {
            let (code, _, said) = home.baton(&["run", file, "--headless", "--fleet", "sim"]);
            assert_eq!(code, Some(2), "{file}: {said}");
            one_sentence(&said, file, name);
        }
    }
}

#[test]
fn the_commands_that_are_named_do_what_is_said() {
    let home = Home::new();
    // A YAML file, a JSON file, a file without an ending, a text: the simulated planner takes seconds for each.
    let some = FILES.iter().filter(|(file, ..)| ["ci.yml", "tasks.json", "Makefile", "prd.md"].contains(file));
    std::thread::scope(|scope| {
        for (file, name, makes) in some {
            let home = &home;
            scope.spawn(move || {
                assert!(*makes == Makes::Plan, "{file}");
                let (code, out, said) = home.baton(&["plan", file, "--fleet", "sim"]);
                assert_eq!(code, Some(0), "{file}: {said}");
                assert!(said.contains(name) || *file == "prd.md", "{file}: {said}");
                let plan = format!("plan-of-{file}.yaml");
                std::fs::write(home.path().join(&plan), out).unwrap();
                let (code, out, said) = home.baton(&["check", &plan]);
                assert_eq!(code, Some(0), "{file}: {out}{said}");
            });
        }
    });
    // Nothing listens there: it says where it asked.
    let (code, _, said) = home.baton(&["fleet", "init", "--host", "http://127.0.0.1:9/v1", "--output", "fleet.toml"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("127.0.0.1"), "{said}");
}

#[test]
fn baton_s_own_files_are_told_apart_too() {
    let home = Home::new();
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    write("plan.yaml", "version: 1\ngoal: g\ntasks: [{id: a, agent: coder, prompt: p}]\n");
    write("fleet.toml", "[[endpoint]]\nname = \"a\"\nurl = \"http://127.0.0.1:9\"\ntiers = [\"x\"]\nmodel = \"m\"\n");
    write("what.yaml", "colour: red\nsize: 3\n");
    let (code, _, said) = home.baton(&["config", "show", "--fleet", "plan.yaml"]);
    assert!(code == Some(2) && one_sentence(&said, "plan.yaml", "a plan").contains("`baton run plan.yaml`"), "{said}");
    let (code, _, said) = home.baton(&["check", "fleet.toml"]);
    assert!(
        code == Some(2) && one_sentence(&said, "fleet.toml", "a fleet file").contains("--fleet fleet.toml"),
        "{said}"
    );
    let (code, _, said) = home.baton(&["plan", "plan.yaml", "--fleet", "sim"]);
    assert!(code == Some(2) && said.contains("`baton run plan.yaml`"), "{said}");
    // Nobody's: one sentence all the same.
    let (code, _, said) = home.baton(&["check", "what.yaml"]);
    assert!(
        code == Some(2) && said.contains("none of a plan's fields") && said.contains("`baton plan what.yaml"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 2, "{said}");
}
