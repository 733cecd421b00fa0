//! The folders Baton reads and writes. XDG folders are honoured on macOS too.

use std::path::{Path, PathBuf};

use super::Surroundings;
use super::trust::{Alien, Whose};

/// Where everything is; nothing of it need exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The user's configuration: `$XDG_CONFIG_HOME/baton`, else `~/.config/baton`.
    pub config: PathBuf,
    /// The project's configuration: the nearest `.baton/` from the working folder up to the root of its git
    /// repository, else to the home folder.
    pub project: ProjectFolder,
    /// What Baton keeps: `$XDG_STATE_HOME/baton`, else `~/.local/state/baton`.
    pub state: PathBuf,
    /// The sessions' journals, a folder each.
    pub sessions: PathBuf,
    /// The program's own log.
    pub log: PathBuf,
    /// Sockets and other things of running processes, for this user only (0700, made by who needs it):
    /// `$XDG_RUNTIME_DIR/baton`, else `run` in the state folder.
    pub run: PathBuf,
}

/// Whether there is a project configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProjectFolder {
    /// This folder.
    Found(PathBuf),
    /// One that is not this user's alone to write, and why: it is not read.
    Foreign(PathBuf, Alien),
    /// None; it would be looked for here first.
    Absent(PathBuf),
}

impl ProjectFolder {
    /// The folder, there or not.
    pub fn path(&self) -> &Path {
        match self {
            Self::Found(path) | Self::Foreign(path, _) | Self::Absent(path) => path,
        }
    }
}

impl Paths {
    /// The folders of a process with these surroundings.
    pub fn find(surroundings: &Surroundings) -> Self {
        let home = surroundings.home.clone();
        // The standard says that relative paths in these variables are to be ignored.
        let xdg = |name: &str| surroundings.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let config = xdg("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")).join("baton");
        let state = xdg("XDG_STATE_HOME").unwrap_or_else(|| home.join(".local").join("state")).join("baton");
        let run = xdg("XDG_RUNTIME_DIR").map_or_else(|| state.join("run"), |dir| dir.join("baton"));
        Self {
            project: project(&surroundings.working, &home),
            sessions: state.join("sessions"),
            log: state.join("baton.log"),
            config,
            state,
            run,
        }
    }

    /// Where the user's own themes are.
    pub fn themes(&self) -> PathBuf {
        self.config.join("themes")
    }
}

/// What Baton reads of a project's folder, or writes there.
const OURS: [&str; 5] = ["fleet.toml", "agents.toml", "baton.toml", "themes", "plan.schema.json"];

/// Other programs are called Baton too, and keep a folder of that name: one in which there are files and none of ours is
/// theirs. It is left alone, and looked past.
fn is_another_programs(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    let mut names = entries.flatten().map(|entry| entry.file_name()).peekable();
    names.peek().is_some() && !names.any(|name| OURS.iter().any(|ours| name == *ours))
}

fn project(working: &Path, home: &Path) -> ProjectFolder {
    for folder in working.ancestors() {
        let candidate = folder.join(".baton");
        if let Ok(meta) = std::fs::symlink_metadata(&candidate)
            && (meta.is_dir() || meta.is_symlink())
            && !(meta.is_dir() && is_another_programs(&candidate))
        {
            return match meta.alien() {
                None => ProjectFolder::Found(candidate),
                Some(why) => ProjectFolder::Foreign(candidate, why),
            };
        }
        if folder == home || folder.join(".git").exists() {
            break;
        }
    }
    ProjectFolder::Absent(working.join(".baton"))
}
