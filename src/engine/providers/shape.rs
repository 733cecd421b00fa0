//! What a model takes in memory: learnt once from its server or its file, and remembered while the server runs.
//!
//! Not here: the arithmetic (`domain/fleet/shape`), the file's format (`gguf`), who asks (`probe`). Invariants: a file is
//! read only where the server is on this machine and names it by its whole path, and only a plain file; what was learnt is
//! forgotten as soon as the server is seen down or loading, so that another model at its place is learnt anew.

use std::collections::HashMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::gguf::{self, GgufError};
use crate::domain::fleet::{CacheSettings, Endpoint, ModelFacts, PoolKey, base_url};
use crate::domain::protocol::ModelShape;
use crate::engine::machine::local_port;

/// How long a file's head is waited for. A disk takes milliseconds; a network's that is gone takes for ever.
const FILE_LIMIT: Duration = Duration::from_secs(2);

/// What was learnt of servers and their models; at most as many as endpoints were asked. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Arc<Mutex<HashMap<PoolKey, Learnt>>>);

/// What was learnt of one server and its model.
#[derive(Clone, Debug, Default)]
pub(super) struct Learnt {
    /// The model's file as the server names it: another one is another model.
    pub(super) file: Option<String>,
    /// Bytes of its weights.
    pub(super) weights: Option<u64>,
    /// The longest context it was trained for.
    pub(super) trained: Option<u32>,
    /// What its file tells of its layers.
    pub(super) facts: Option<Arc<ModelFacts>>,
    /// Whether an OpenAI-compatible server lists its models as LM Studio does; none: not asked yet.
    pub(super) lists: Option<Lists>,
}

/// How an OpenAI-compatible server lists its models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lists {
    /// At `/api/v1/models` too, with what is loaded, as LM Studio does.
    Instances,
    /// At `/v1/models` only.
    Names,
}

impl Known {
    /// What was learnt of `endpoint`'s server and model.
    pub(super) fn get(&self, endpoint: &Endpoint) -> Option<Learnt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&endpoint.pool()).cloned()
    }

    /// Remembers it.
    pub(super) fn put(&self, endpoint: &Endpoint, learnt: Learnt) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(endpoint.pool(), learnt);
    }

    /// The server is gone, and may come back as another.
    pub(super) fn forget(&self, endpoint: &Endpoint) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&endpoint.pool());
    }
}

impl Learnt {
    /// The model's shape with the cache kept as `endpoint`'s launch says; none where nothing is known of it.
    pub(super) fn shape(&self, endpoint: &Endpoint) -> Option<ModelShape> {
        let cache = CacheSettings::of(endpoint.launch.as_ref());
        let mut shape = self.facts.as_ref().map(|facts| facts.shape(cache)).unwrap_or_default();
        shape.weights = self.weights;
        shape.trained = shape.trained.or(self.trained);
        (shape != ModelShape::default()).then_some(shape)
    }
}

/// What the model file at `path` tells, as `endpoint`'s server named it; none where the server is not on this machine,
/// names no whole path, or the file tells nothing. Why is in the log.
pub(super) async fn facts_of_file(endpoint: &Endpoint, path: &str) -> Option<ModelFacts> {
    local_port(&base_url(&endpoint.url, Some(endpoint.protocol)))?;
    let started_in = endpoint.launch.as_ref().and_then(|launch| launch.cwd.as_deref()).unwrap_or_default();
    let path = Path::new(started_in).join(path);
    if !path.is_absolute() {
        return None;
    }
    let (told, asked) = oneshot::channel();
    let file = path.clone();
    // Not on the runtime's own threads: it would wait for them at its end, and a lost network disk never answers.
    let reading = std::thread::Builder::new().name("gguf".to_owned()).spawn(move || {
        // Whoever asked may wait no longer.
        let _ = told.send(read(&file));
    });
    if let Err(error) = reading {
        tracing::debug!(path = %path.display(), %error, "no thread to read the model file");
        return None;
    }
    match timeout(FILE_LIMIT, asked).await {
        Ok(Ok(Ok(facts))) => Some(facts),
        Ok(Ok(Err(error))) => {
            tracing::debug!(path = %path.display(), %error, "the model file tells nothing of its layers");
            None
        }
        Ok(Err(_)) | Err(_) => {
            tracing::debug!(path = %path.display(), "the model file could not be read in time");
            None
        }
    }
}

fn read(path: &PathBuf) -> Result<ModelFacts, GgufError> {
    let failed = |error| GgufError::Io { at: 0, error };
    // To open a pipe waits for its other end, and a device may never end.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(GgufError::Foreign);
    }
    gguf::facts(BufReader::new(std::fs::File::open(path).map_err(failed)?))
}
