//! The table of other programs' files: what each is called, and by what it is known. The first that fits counts.

use super::Seen;

/// What can be made of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// It says in words or steps what is to be done: a model can plan it.
    Work,
    /// It names model servers; the port they listen on where it names none that can be reached.
    Servers(u16),
    /// It says how something is set up, and may hold keys.
    Settings,
    /// It is what Ollama makes a model of.
    Model,
    /// Baton's own fleet.
    Fleet,
    /// Baton's own settings.
    Configuration,
    /// A session of Baton's.
    Journal,
}

/// A program's kind of file.
pub(super) struct Kind {
    /// It, with its article.
    pub(super) name: &'static str,
    pub(super) nature: Nature,
    pub(super) is: fn(&Seen<'_>) -> bool,
}

const fn kind(name: &'static str, nature: Nature, is: fn(&Seen<'_>) -> bool) -> Kind {
    Kind { name, nature, is }
}

/// What a text with headings is called.
pub(super) const MARKDOWN: &str = "a text in Markdown";

use Nature::{Configuration, Fleet, Journal, Model, Servers, Settings, Work};

/// All kinds, those with the clearest marks first.
pub(super) const KINDS: &[Kind] = &[
    kind(MARKDOWN, Work, |s| s.named(&[".md", ".markdown", ".mdx"])),
    kind("a journal of a session", Journal, |s| s.text.starts_with("{\"baton_journal\"")),
    kind("a fleet file", Fleet, |s| s.has_any(&["endpoint", "agent"]) && !s.is_json() && !s.named(&[".yaml", ".yml"])),
    kind("a baton.toml", Configuration, |s| s.named(&["baton.toml"])),
    kind("a GitHub workflow", Work, |s| s.has("jobs") && (s.has("on") || s.path.contains(".github/workflows"))),
    kind("a GitHub action", Work, |s| s.has("runs") && s.has("name")),
    kind("a CircleCI configuration", Work, |s| s.has("jobs") && s.has_any(&["workflows", "orbs", "executors"])),
    kind("a GitLab CI file", Work, |s| {
        s.named(&[".gitlab-ci.yml", ".gitlab-ci.yaml"]) || (s.has("stages") && s.any_with(&["script"]))
    }),
    kind("an Azure pipeline", Work, |s| s.has_any(&["trigger", "pool"]) && s.has_any(&["steps", "stages", "jobs"])),
    kind("a Kubernetes manifest", Settings, |s| s.has("apiVersion") && s.has("kind")),
    kind("a process-compose file", Settings, |s| s.has("processes")),
    kind("a compose file", Settings, |s| s.has("services")),
    kind("an n8n workflow", Work, |s| s.has("nodes") && s.has("connections")),
    kind("a LangGraph configuration", Settings, |s| s.has("graphs")),
    kind("a graph of another program (nodes and edges)", Work, |s| s.has("nodes") && s.has("edges")),
    kind("an AutoGen team", Work, |s| s.has("provider") && s.has("component_type")),
    kind("CrewAI's agents", Work, |s| s.any_with(&["role", "goal", "backstory"])),
    kind("CrewAI's tasks", Work, |s| s.any_with(&["description", "expected_output"])),
    kind("an Ansible playbook", Work, |s| {
        s.any_with(&["hosts", "tasks"]) || s.any_with(&["hosts", "roles"]) || s.any_with(&["import_playbook"])
    }),
    kind("LiteLLM's configuration", Servers(4000), |s| s.has_any(&["model_list", "litellm_settings"])),
    kind("llama-swap's configuration", Servers(8080), |s| s.within("models", &["cmd", "proxy"])),
    kind("Continue's configuration", Servers(11434), |s| s.within("models", &["provider"])),
    kind("opencode's configuration", Servers(11434), |s| {
        s.named(&["opencode.json", "opencode.jsonc"]) || (s.is_json() && s.has("provider"))
    }),
    kind("Codex's configuration", Servers(11434), |s| s.has_any(&["model_providers", "model_provider"])),
    kind("a list of tool servers (MCP)", Settings, |s| {
        s.has("mcpServers") || s.named(&["mcp.json", ".mcp.json"]) || (s.is_json() && s.within("servers", &["command"]))
    }),
    kind("a Dagu workflow", Work, |s| s.within("steps", &["command", "run", "script", "depends", "action"])),
    kind("a Taskfile", Work, |s| {
        let recipe = ["cmds", "cmd", "deps", "desc", "sources", "silent"];
        s.named(&["taskfile.yml", "taskfile.yaml"]) || s.within("tasks", &recipe) && !s.is_json()
    }),
    kind("a list of tasks of VS Code", Work, |s| s.within("tasks", &["label", "taskName"])),
    kind("a task list of Task Master", Work, |s| {
        let marks = ["status", "testStrategy", "subtasks"];
        s.within("tasks", &marks) || (s.is_json() && s.any_with(&["tasks", "metadata"]))
    }),
    kind("a turbo.json", Settings, |s| s.named(&["turbo.json"])),
    kind("a package.json", Settings, |s| {
        s.named(&["package.json"]) || (s.is_json() && s.has("name") && s.has_any(&["scripts", "dependencies"]))
    }),
    kind("a PRD in JSON", Work, |s| {
        let stories = ["userStories", "user_stories", "stories", "requirements", "features", "epics"];
        s.is_json() && s.has_any(&stories)
    }),
    kind("a pyproject.toml", Settings, |s| s.named(&["pyproject.toml"]) || s.has_any(&["build-system"])),
    kind("a Cargo.toml", Settings, |s| s.named(&["cargo.toml"]) || (s.has("package") && s.has("dependencies"))),
    kind("a pre-commit configuration", Settings, |s| s.within("repos", &["hooks", "repo"])),
    kind("a Prefect file", Settings, |s| s.has("deployments")),
    kind("an OpenAPI description", Settings, |s| s.has_any(&["openapi", "swagger"])),
    kind("a Modelfile of Ollama", Model, |s| {
        s.named(&["modelfile", ".modelfile"])
            || (s.line(&["FROM "]) && s.line(&["PARAMETER ", "TEMPLATE ", "SYSTEM ", "ADAPTER ", "MESSAGE "]))
    }),
    kind("a Dockerfile", Settings, |s| {
        s.named(&["dockerfile", "containerfile"]) || (s.line(&["FROM "]) && s.line(&["RUN ", "CMD ", "ENTRYPOINT "]))
    }),
    kind("a justfile", Work, |s| s.named(&["justfile", ".justfile", ".just"])),
    kind("a Makefile", Work, |s| s.named(&["makefile", "gnumakefile", ".mk"]) || has_recipe(s.text)),
    kind("a script", Work, |s| s.text.starts_with("#!")),
    kind(MARKDOWN, Work, |s| {
        let first = s.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let group = s.root.as_ref().is_some_and(|root| !root.entries().is_empty());
        !group && ["# ", "## ", "- [ ] ", "* "].iter().any(|mark| first.starts_with(mark))
    }),
];

/// A target with a line under it that begins with a tab.
fn has_recipe(text: &str) -> bool {
    let target = |line: &str| line.starts_with(|c: char| c.is_alphanumeric() || c == '.') && line.contains(':');
    text.lines().zip(text.lines().skip(1)).any(|(line, next)| target(line) && next.starts_with('\t'))
}
