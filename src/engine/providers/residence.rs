//! A model into memory and out of it, where the server can do that while it runs.
//!
//! Not here: whether it may be (the orchestrator asks memory and looks at what runs), starting servers (`engine/servers`).
//! Invariant: what returns well was seen: the server itself said that the model is loaded, or gone.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::client::Client;
use super::fault::{Fault, ProviderError};
use super::probe::{
    Brand, Props, Slashes, brand, escaped, good, instances, json as read, of_model, residence_of, router_lists,
    running, swap_residence,
};
use crate::domain::fleet::{Endpoint, Protocol};
use crate::domain::protocol::{FailureKind, Remedy, Residence};

/// The time a server is given for an answer about its state.
const LOOK: Duration = Duration::from_secs(2);

/// How long loading may take where the endpoint has no launch that says: the biggest models are read for minutes.
const LOADING: Duration = Duration::from_secs(600);

/// How long unloading may take. Freeing takes seconds; a request of somebody else's is waited for by the server.
const UNLOADING: Duration = Duration::from_secs(60);

/// How often is asked whether it is done.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// A server that moves models while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Ollama,
    /// llama.cpp's router.
    Router,
    /// A llama-server that gave its model's memory back while nothing was asked of it. It can be woken, not put to sleep.
    Asleep,
    LmStudio,
    LlamaSwap,
}

/// Loads the model of `endpoint`, with the context that requests will ask for; returns once it is in memory.
///
/// # Errors
/// What the server says, that it can't, or that it took too long.
pub async fn load(client: &Client, endpoint: &Endpoint) -> Result<(), ProviderError> {
    into_memory(client, endpoint).await.map_err(|fault| fault.at(endpoint, &client.redactor()))
}

/// Takes the model of `endpoint` out of memory; returns once it is gone, with the bytes it held where they were told.
///
/// # Errors
/// As [`load`].
pub async fn unload(client: &Client, endpoint: &Endpoint) -> Result<Option<u64>, ProviderError> {
    out_of_memory(client, endpoint).await.map_err(|fault| fault.at(endpoint, &client.redactor()))
}

async fn into_memory(client: &Client, endpoint: &Endpoint) -> Result<(), Fault> {
    let limit = endpoint.launch.as_ref().map_or(LOADING, |launch| Duration::from_secs(launch.ready_seconds.into()));
    let begun = Instant::now();
    let place = place(client, endpoint).await?;
    let model = endpoint.model.as_str();
    match place {
        Place::Ollama => {
            // The same as requests will: another context would load it anew.
            let options = if endpoint.context > 0 { json!({"num_ctx": endpoint.context}) } else { json!({}) };
            let body = json!({"model": model, "keep_alive": -1, "stream": false, "options": options});
            post(client, endpoint, "/api/generate", &body, limit).await?;
        }
        Place::Router => match listed(client, endpoint).await?.status.map(|status| status.value).as_deref() {
            Some("loaded") => return Ok(()),
            Some("sleeping") => wake(client, endpoint, limit).await?,
            // Somebody's request loads it.
            Some("loading") => {}
            _ => post(client, endpoint, "/models/load", &json!({"model": model}), LOOK).await?,
        },
        Place::Asleep => return wake(client, endpoint, limit).await,
        Place::LmStudio => {
            let known = instances(client, endpoint).await?.ok_or_else(|| unknown(model))?;
            // To load it again would make a second one.
            if !known.is_loaded(model) {
                let body = json!({"model": known.key, "context_length": endpoint.context});
                post(client, endpoint, "/api/v1/models/load", &body, limit).await?;
            }
        }
        Place::LlamaSwap => {
            // It starts the model's server and passes the question on once that is ready.
            let path = format!("/upstream/{}/health", escaped(model, Slashes::Kept));
            let answer = client.state(endpoint, &path, None, limit).await?;
            if swap_residence(client, endpoint).await? == Residence::Unloaded {
                good(endpoint, &answer)?;
            }
        }
    }
    settled(client, endpoint, place, Residence::Loaded, limit.saturating_sub(begun.elapsed())).await
}

async fn out_of_memory(client: &Client, endpoint: &Endpoint) -> Result<Option<u64>, Fault> {
    let place = place(client, endpoint).await?;
    let model = endpoint.model.as_str();
    let held = match place {
        Place::Ollama => {
            let held = running(client, endpoint).await?.and_then(|model| model.size);
            let body = json!({"model": model, "keep_alive": 0, "stream": false});
            post(client, endpoint, "/api/generate", &body, UNLOADING).await?;
            held
        }
        Place::Router => {
            let known = listed(client, endpoint).await?;
            if known
                .status
                .as_ref()
                .is_some_and(|status| matches!(status.value.as_str(), "loaded" | "loading" | "sleeping"))
            {
                post(client, endpoint, "/models/unload", &json!({"model": model}), UNLOADING).await?;
            }
            known.meta.and_then(|meta| meta.size)
        }
        Place::Asleep => return Ok(None),
        Place::LmStudio => {
            let known = instances(client, endpoint).await?.ok_or_else(|| unknown(model))?;
            for instance in known.named(model) {
                post(client, endpoint, "/api/v1/models/unload", &json!({"instance_id": instance.id}), UNLOADING)
                    .await?;
            }
            known.size_bytes.filter(|_| known.is_loaded(model))
        }
        Place::LlamaSwap => {
            let path = format!("/api/models/unload/{}", escaped(model, Slashes::Kept));
            good(endpoint, &client.act(endpoint, &path, Vec::new(), UNLOADING).await?)?;
            None
        }
    };
    settled(client, endpoint, place, Residence::Unloaded, UNLOADING).await?;
    Ok(held)
}

/// Which server it is; one that can't move models is a fault that says what can be done instead.
async fn place(client: &Client, endpoint: &Endpoint) -> Result<Place, Fault> {
    let what = match endpoint.protocol {
        Protocol::Ollama => return Ok(Place::Ollama),
        Protocol::LlamaCpp => {
            let state = client.state(endpoint, "/props", None, LOOK).await?;
            let props: Props = read(endpoint, &state)?;
            if props.role.as_deref() == Some("router") {
                return Ok(Place::Router);
            }
            if props.is_sleeping {
                return Ok(Place::Asleep);
            }
            "this llama-server has its one model for as long as it runs"
        }
        Protocol::OpenAi => match brand(client, endpoint).await? {
            Brand::LmStudio => return Ok(Place::LmStudio),
            Brand::LlamaSwap => return Ok(Place::LlamaSwap),
            Brand::Vllm => "vLLM has its one model for as long as it runs",
            Brand::Mlx => "mlx_lm.server loads a model when it is first asked for, and keeps it for as long as it runs",
            Brand::Other => "this kind of server can't be told to load or unload a model",
        },
        Protocol::Command => "command-line agents have no model of their own",
    };
    Err(Fault::new(
        FailureKind::Refused,
        Remedy::Operator,
        what,
        "start or stop the server itself; Ollama, LM Studio, llama-swap and llama.cpp's router load and unload models",
    ))
}

/// A model that the server does not list.
fn unknown(model: &str) -> Fault {
    Fault::new(
        FailureKind::NoModel,
        Remedy::Operator,
        format!("it has no model {model}"),
        "download it there, or mend the endpoint's model in fleet.toml",
    )
}

async fn listed(client: &Client, endpoint: &Endpoint) -> Result<super::probe::Model, Fault> {
    router_lists(client, endpoint).await?.ok_or_else(|| unknown(&endpoint.model))
}

async fn post(client: &Client, endpoint: &Endpoint, path: &str, body: &Value, limit: Duration) -> Result<(), Fault> {
    let answer = client.act(endpoint, path, body.to_string().into_bytes(), limit).await?;
    good(endpoint, &answer)
}

/// Wakes a llama-server: to be asked for its slots it reads its model again, and answers once it has.
async fn wake(client: &Client, endpoint: &Endpoint, limit: Duration) -> Result<(), Fault> {
    good(endpoint, &client.state(endpoint, &of_model("/slots", endpoint), None, limit).await?)
}

/// Waits until the server says that its model is where it is `wanted`, for `limit` at most.
async fn settled(
    client: &Client,
    endpoint: &Endpoint,
    place: Place,
    wanted: Residence,
    limit: Duration,
) -> Result<(), Fault> {
    let end = Instant::now() + limit;
    loop {
        match residence(client, endpoint, place).await {
            Ok(Some(now)) if now == wanted => return Ok(()),
            Ok(_) => {}
            // While it is busy with a model it may answer nothing in time.
            Err(fault) if fault.kind == FailureKind::Silent => {}
            Err(fault) => return Err(fault),
        }
        if Instant::now() >= end {
            return Err(late(wanted));
        }
        sleep(BETWEEN_LOOKS).await;
    }
}

fn late(wanted: Residence) -> Fault {
    let (came, mend) = match wanted {
        Residence::Unloaded => (
            "its model is in memory still",
            "another client's request may hold it, and it goes when that ends; else see the server's log",
        ),
        Residence::Loaded | Residence::Loading => (
            "its model is not in memory yet",
            "see the server's log; a launch's ready_seconds in fleet.toml gives it more time",
        ),
    };
    Fault::new(FailureKind::Silent, Remedy::Operator, came, mend)
}

async fn residence(client: &Client, endpoint: &Endpoint, place: Place) -> Result<Option<Residence>, Fault> {
    Ok(match place {
        Place::Ollama => {
            let running = running(client, endpoint).await?;
            Some(if running.is_some() { Residence::Loaded } else { Residence::Unloaded })
        }
        Place::Router => {
            let listed = listed(client, endpoint).await?;
            if let Some(status) = listed.status.as_ref().filter(|status| status.failed == Some(true)) {
                let code = status.exit_code.map_or_else(String::new, |code| format!(" with code {code}"));
                return Err(Fault::new(
                    FailureKind::Server,
                    Remedy::Operator,
                    format!("the model's server ended{code} while it loaded"),
                    "see the router's log; most often memory is short",
                ));
            }
            residence_of(&listed)
        }
        Place::LmStudio => {
            // One known by its instance's name only is not listed any more once that is gone.
            let known = instances(client, endpoint).await?;
            let loaded = known.is_some_and(|known| known.is_loaded(&endpoint.model));
            Some(if loaded { Residence::Loaded } else { Residence::Unloaded })
        }
        Place::LlamaSwap => Some(swap_residence(client, endpoint).await?),
        Place::Asleep => None,
    })
}
