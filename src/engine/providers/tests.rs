//! What the tests of this room share.

use std::time::Duration;

use super::{AnswerFormat, Request};
use crate::domain::fleet::{Api, Endpoint, Nature, Protocol};
use crate::domain::protocol::{Level, LevelSupport, Speaker};

pub(super) fn endpoint(protocol: Protocol, url: &str) -> Endpoint {
    Endpoint {
        name: "test".parse().unwrap(),
        title: Some("Test Model".to_owned()),
        tiers: Vec::new(),
        protocol,
        url: url.to_owned(),
        model: "m".to_owned(),
        slots: 2,
        context: 4096,
        api: Api::Chat,
        key: None,
        level: None,
        memory_gb: None,
        tokens_per_second: None,
        vision: false,
        tools: false,
        nature: Nature::Real,
        price: None,
        launch: None,
    }
}

pub(super) fn request(protocol: Protocol, url: &str) -> Request {
    Request {
        endpoint: endpoint(protocol, url),
        messages: vec![(Speaker::System, "S".to_owned()), (Speaker::User, "Q".to_owned())],
        max_tokens: 64,
        temperature: 0.25,
        level: Level::Low,
        level_support: LevelSupport::Unknown,
        format: AnswerFormat::Text,
        silence: Duration::from_secs(30),
    }
}
