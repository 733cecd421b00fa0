//! What a request asks for, whatever the protocol it came in.
//!
//! Not here: what is answered (`script`). Invariant: reading a request uses neither clock nor chance.

use serde_json::Value;

use super::random::digest;

/// How much a request wants the model to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Think {
    /// It does not say.
    #[default]
    Usual,
    /// Not at all.
    Off,
    /// Little.
    Low,
    /// Much.
    High,
}

/// How the answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// As it is made.
    Stream,
    /// In one piece at the end.
    Whole,
}

/// Whether something optional was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Wish {
    /// Not asked for.
    #[default]
    No,
    /// Asked for.
    Yes,
}

impl Wish {
    fn of(value: &Value) -> Self {
        if value.as_bool() == Some(true) { Self::Yes } else { Self::No }
    }

    /// Whether it was asked for.
    pub(super) fn is_yes(self) -> bool {
        self == Self::Yes
    }
}

/// One request to generate.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    /// The system messages, joined.
    pub(super) system: String,
    /// The other messages, joined, the last one last.
    pub(super) conversation: String,
    /// The last message by the user, or the prompt of a native request.
    pub(super) last: String,
    /// Messages in the request.
    pub(super) messages: u32,
    /// Of which the model's own, from turns before; a native request does not tell, and counts as a later turn.
    pub(super) answers: u32,
    /// The most tokens of the answer, thinking included.
    pub(super) max_tokens: Option<u32>,
    /// Streamed or whole.
    pub(super) delivery: Delivery,
    /// `stream_options.include_usage`.
    pub(super) usage: Wish,
    /// `return_progress`.
    pub(super) progress: Wish,
    /// `timings_per_token`.
    pub(super) timings: Wish,
    /// The JSON schema the answer must fit.
    pub(super) schema: Option<Value>,
    /// JSON of any shape is wanted.
    pub(super) json: Wish,
    /// The level.
    pub(super) think: Think,
    /// Words that end the answer.
    pub(super) stop: Vec<String>,
    /// Seconds between the comment lines that show a stream is alive; none: the server's own.
    pub(super) ping: Option<f64>,
    /// The sampling temperature, echoed by the native form.
    pub(super) temperature: f64,
}

impl Ask {
    /// Reads a chat request.
    ///
    /// # Errors
    /// The words llama.cpp answers with.
    pub(super) fn chat(body: &Value) -> Result<Self, &'static str> {
        let messages = match &body["messages"] {
            Value::Null => return Err("'messages' is required"),
            Value::Array(messages) => messages,
            _ => return Err("Expected 'messages' to be an array"),
        };
        let mut ask = Self::common(body);
        for message in messages {
            let text = content(&message["content"]);
            match message["role"].as_str() {
                Some("system" | "developer") => push(&mut ask.system, &text),
                role => {
                    push(&mut ask.conversation, &text);
                    ask.answers += u32::from(role == Some("assistant"));
                    if role == Some("user") {
                        ask.last = text;
                    }
                }
            }
        }
        ask.messages = messages.len() as u32;
        Ok(ask)
    }

    /// Reads a native request: one prompt, and Ollama's `system`.
    ///
    /// # Errors
    /// The words llama.cpp answers with.
    pub(super) fn native(body: &Value) -> Result<Self, &'static str> {
        let prompt = match &body["prompt"] {
            Value::Null => return Err("[json.exception.out_of_range.403] key 'prompt' not found"),
            Value::Array(parts) => parts.iter().map(content).collect::<Vec<_>>().join(" "),
            other => content(other),
        };
        let mut ask = Self::common(body);
        ask.system = content(&body["system"]);
        ask.conversation.clone_from(&prompt);
        ask.last = prompt;
        ask.messages = 1;
        ask.answers = 1;
        Ok(ask)
    }

    /// Reads what all requests share; Ollama's `options`, `format` and `think` too, as no other server has these words.
    fn common(body: &Value) -> Self {
        let options = &body["options"];
        let limits = [&body["max_tokens"], &body["max_completion_tokens"], &body["n_predict"], &options["num_predict"]];
        let limit = limits.iter().find_map(|value| value.as_i64()).filter(|n| *n >= 0);
        let format = &body["response_format"];
        let schemas = [&format["json_schema"]["schema"], &format["schema"], &body["json_schema"], &body["format"]];
        let plain = format["type"] == "json_object" || body["format"] == "json";
        // The form with the schema beside the type is silently unconstrained on llama.cpp, so it is here.
        let misplaced = format["type"] == "json_schema" && format["json_schema"].is_null();
        Self {
            system: String::new(),
            conversation: String::new(),
            last: String::new(),
            messages: 0,
            answers: 0,
            max_tokens: limit.map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
            delivery: if body["stream"] == true { Delivery::Stream } else { Delivery::Whole },
            usage: Wish::of(&body["stream_options"]["include_usage"]),
            progress: Wish::of(&body["return_progress"]),
            timings: Wish::of(&body["timings_per_token"]),
            schema: schemas
                .iter()
                .find(|schema| schema.is_object())
                .filter(|_| !misplaced)
                .map(|schema| (*schema).clone()),
            json: if plain { Wish::Yes } else { Wish::No },
            think: think(body),
            stop: stops(if body["stop"].is_null() { &options["stop"] } else { &body["stop"] }),
            ping: body["sse_ping_interval"].as_f64(),
            temperature: body["temperature"].as_f64().or(options["temperature"].as_f64()).unwrap_or(0.8),
        }
    }

    /// What chance is counted over besides the seed: everything that a deterministic model's answer depends on.
    pub(super) fn key(&self) -> u64 {
        let limit = self.max_tokens.map(|n| n.to_string()).unwrap_or_default();
        let think = match self.think {
            Think::Usual => "usual",
            Think::Off => "off",
            Think::Low => "low",
            Think::High => "high",
        };
        digest([self.system.as_str(), &self.conversation, &limit, think])
    }
}

fn push(all: &mut String, text: &str) {
    if !all.is_empty() {
        all.push_str("\n\n");
    }
    all.push_str(text);
}

/// A content field: a text, or parts of which the texts count.
fn content(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        Value::Object(object) => object.get("prompt_string").and_then(Value::as_str).unwrap_or("").to_owned(),
        _ => String::new(),
    }
}

fn think(body: &Value) -> Think {
    let kwargs = &body["chat_template_kwargs"];
    let word =
        [&body["reasoning_effort"], &kwargs["reasoning_effort"], &body["think"]].into_iter().find_map(Value::as_str);
    match word {
        Some("none") => return Think::Off,
        Some("low" | "minimal") => return Think::Low,
        Some("high" | "max") => return Think::High,
        Some(_) => return Think::Usual,
        None => {}
    }
    let off = kwargs["enable_thinking"] == false || body["think"] == false || body["reasoning_budget_tokens"] == 0;
    if off { Think::Off } else { Think::Usual }
}

fn stops(value: &Value) -> Vec<String> {
    match value {
        Value::String(word) => vec![word.clone()],
        Value::Array(words) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}
