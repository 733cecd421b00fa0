//! Remote servers over https: what is trusted works, and what goes wrong says what it is and how to mend it.
//!
//! The certificates in `tests/tls` are for these tests alone; nobody trusts their authority. The program is told of it by
//! `SSL_CERT_FILE`, which Linux has and macOS, with its keychain, has not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use baton::domain::fleet::{Api, Endpoint, Nature, Protocol};
use baton::domain::protocol::{Health, Name};
use baton::engine::providers::{Client, Depth, Traffic, probe};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server's certificate and key.
type Identity = (&'static [u8], &'static [u8]);

/// For 127.0.0.1 and localhost.
const HERE: Identity = (include_bytes!("tls/here.der"), include_bytes!("tls/here.key.der"));
/// For other.example.
#[cfg(target_os = "linux")]
const OTHER: Identity = (include_bytes!("tls/other.der"), include_bytes!("tls/other.key.der"));

/// An OpenAI-compatible server under `/llama`, over TLS; its port. It wants the key `planted`.
fn over_tls((certificate, key): Identity) -> u16 {
    let key = PrivateKeyDer::try_from(key.to_vec()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate.to_vec())], key)
        .unwrap();
    let config = Arc::new(config);
    serving(move |socket| {
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), socket);
        answer(&mut stream);
        stream.conn.send_close_notify();
        let _ = stream.flush();
    })
}

/// The same in plain.
fn plain() -> u16 {
    serving(|mut socket| answer(&mut socket))
}

fn serving(meet: impl Fn(std::net::TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            meet(socket);
        }
    });
    port
}

fn answer(stream: &mut (impl Read + Write)) {
    let mut request = Vec::new();
    let mut piece = [0u8; 2048];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(n) if n > 0 => request.extend_from_slice(&piece[..n]),
            _ => return,
        }
        // A greeting of TLS is no request, and a web server says so at once.
        if !request.starts_with(b"GET ") {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            return;
        }
    }
    let request = String::from_utf8_lossy(&request).to_lowercase();
    let (status, body) = match () {
        () if !request.starts_with("get /llama/v1/models ") => ("404 Not Found", "Not Found"),
        () if !request.contains("authorization: bearer planted") => ("401 Unauthorized", r#"{"error":"Unauthorized"}"#),
        () => ("200 OK", r#"{"data":[{"id":"big","owned_by":"vllm","max_model_len":32768}]}"#),
    };
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let _ = stream.flush();
}

/// Why an endpoint at this URL is down.
async fn trouble(url: &str) -> String {
    let endpoint = Endpoint {
        name: Name::slug("front"),
        title: None,
        tiers: vec![Name::slug("t")],
        protocol: Protocol::OpenAi,
        url: url.to_owned(),
        model: "big".to_owned(),
        slots: 1,
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
    };
    match probe(&Client::new().unwrap(), &endpoint, Depth::Light, Traffic::Quiet).await.health {
        Health::Down { reason } => reason.to_string(),
        other => panic!("{url}: {other:?}"),
    }
}

#[track_caller]
fn says(words: &str, parts: &[&str]) {
    for part in parts {
        assert!(words.contains(part), "{part:?} not in {words}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_or_a_scheme_is_said_with_the_mend() {
    let words = trouble(&format!("https://127.0.0.1:{}/llama/v1", over_tls(HERE))).await;
    says(&words, &["certificate is not trusted", "trust its authority on this machine"]);
    let words = trouble(&format!("https://127.0.0.1:{}", plain())).await;
    says(&words, &["no TLS", "write http:// in its url"]);
    let words = trouble(&format!("http://127.0.0.1:{}", over_tls(HERE))).await;
    says(&words, &["no HTTP", "https://"]);
    let words = trouble("https://no-such-mac.invalid/v1").await;
    says(&words, &["no-such-mac.invalid", "no host of that name", "mend the host"]);
}

#[cfg(target_os = "linux")]
mod trusted {
    use std::process::{Command, Stdio};

    use super::*;

    const FLEET: &str = r#"replace = true
[[endpoint]]
name = "front"
tiers = ["q4_tools"]
protocol = "openai"
url = "https://127.0.0.1:PORT/llama/v1"
model = "big"
slots = 12
context = 32768
key = { env = "FRONT_KEY" }
"#;

    /// `baton` with these words, in a home whose fleet has the server at that port; stdout and stderr.
    fn baton(port: u16, words: &[&str]) -> (String, String) {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("config/baton");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("fleet.toml"), FLEET.replace("PORT", &port.to_string())).unwrap();
        let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/ca.pem");
        let output = Command::new(env!("CARGO_BIN_EXE_baton"))
            .args(words)
            .current_dir(home.path())
            .env_clear()
            .env("HOME", home.path())
            .env("XDG_CONFIG_HOME", home.path().join("config"))
            .env("XDG_STATE_HOME", home.path().join("state"))
            .env("SSL_CERT_FILE", authority)
            .env("FRONT_KEY", "planted")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    #[test]
    fn a_server_elsewhere_is_an_endpoint_with_a_path_a_key_and_a_certificate() {
        let port = over_tls(HERE);
        let (out, err) = baton(port, &["fleet", "status", "--json"]);
        let lines: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out} {err}"));
        assert_eq!((lines[0]["health"].as_str(), lines[0]["slots"].as_u64()), (Some("up"), Some(12)), "{out}");
        // Looked for anew it keeps its name, its key and its slots: the key goes to the server that the endpoint names.
        let (out, err) = baton(port, &["fleet", "init", "--port", "1", "--print"]);
        says(&out, &["name = \"front\"", "key = { env = \"FRONT_KEY\" }", "slots = 12", "# vLLM"]);
        assert!(!out.contains("planted") && !err.contains("planted"));
        // The same server by a name that no endpoint has is sent none.
        let there = format!("https://localhost:{port}/llama");
        let (_, err) = baton(over_tls(HERE), &["fleet", "init", "--port", "1", "--host", &there, "--print"]);
        says(&err, &["wants a key"]);
    }

    #[test]
    fn a_certificate_for_another_name_is_told_from_one_that_nobody_trusts() {
        let (out, _) = baton(over_tls(OTHER), &["fleet", "status"]);
        says(&out, &["is for another host", "other.example"]);
    }
}
