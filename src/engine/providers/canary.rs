//! Whether a server gives each of many requests at once its own answer.
//!
//! Seen on mlx_lm.server at 16 at once: an answer that belonged to another prompt, well formed and under HTTP 200. No one
//! can tell that from a result; so each of a few short requests asks to repeat a word that no other one has. Not here: when
//! that is done (by a command only: a session sends nothing that nobody asked for). Invariants: no more than [`MOST`] at
//! once and [`TRIES`] rounds of a width; an answer with none of the words says nothing, and is counted as that.

use std::time::Duration;

use futures_util::future::join_all;

use super::chunk::Chunk;
use super::client::Client;
use super::request::{AnswerFormat, Request};
use crate::domain::fleet::Endpoint;
use crate::domain::protocol::{Level, LevelSupport, Speaker};

/// The answers of a width that must say whose they are before it counts as clean: one alone can't be mixed up.
const JUDGED: u32 = 2;

/// Words to repeat: none is in another, and none is likely in an answer that was not asked for it.
const WORDS: [&str; 16] = [
    "maple", "harbor", "velvet", "copper", "lantern", "orchid", "granite", "saffron", "thimble", "walnut", "juniper",
    "pebble", "cobalt", "meadow", "sparrow", "quartz",
];

/// The most requests at once: as many as there are words.
pub const MOST: u32 = WORDS.len() as u32;

/// Rounds of a width before it counts as clean: a mix-up is a matter of timing, and does not come each time.
const TRIES: u32 = 2;

/// The most tokens of an answer: a word, and what a model says around it or thinks before it.
const TOKENS: u32 = 128;

/// The most of an answer that is kept, in bytes: [`TOKENS`] of the longest ones.
const ANSWER: usize = 8 * 1024;

/// An answer may take so long: the model may have to be loaded first.
const PATIENCE: Duration = Duration::from_secs(300);

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Canary {
    /// Requests at once that were tried first.
    pub width: u32,
    /// The most at once at which no answer was another's; none where no width could be judged.
    pub clean: Option<u32>,
    /// Answers in all.
    pub answers: u32,
    /// Answers that were another request's, in words: what was asked for, and what came.
    pub mixed: Vec<(String, String)>,
    /// Answers that hold none of the words: they say nothing.
    pub unclear: u32,
    /// Requests that failed, and the first failure.
    pub failed: Vec<String>,
}

/// What an answer says of whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Own,
    /// That one's word is in it, and its own is not.
    Another(usize),
    Unclear,
}

fn whose(answer: &str, own: usize) -> Whose {
    let low = answer.to_lowercase();
    let holds = |i: usize| WORDS.get(i).is_some_and(|word| low.contains(word));
    if holds(own) {
        return Whose::Own;
    }
    (0..WORDS.len()).find(|i| holds(*i)).map_or(Whose::Unclear, Whose::Another)
}

/// Tries `endpoint` with `width` requests at once, and with fewer where answers are mixed up, until it is known how many it
/// serves rightly.
pub async fn canary(client: &Client, endpoint: &Endpoint, width: u32) -> Canary {
    let width = width.clamp(1, MOST);
    let mut found = Canary { width, ..Canary::default() };
    // One alone can't be mixed up; between the widest that is clean and the narrowest that is not the half is tried.
    // One whose answers did not come, or do not say whose they are, is not known to be clean.
    let (mut clean, mut unclean) = (1, width + 1);
    let mut next = width;
    while next > clean && next < unclean {
        if round(client, endpoint, next, &mut found).await {
            clean = next;
            found.clean = Some(clean);
        } else {
            unclean = next;
        }
        if found.judged() == 0 {
            return found;
        }
        next = clean + (unclean - clean) / 2;
    }
    if found.clean.is_none() && (!found.mixed.is_empty() || width == 1 && round(client, endpoint, 1, &mut found).await)
    {
        found.clean = Some(1);
    }
    found
}

impl Canary {
    /// Answers that say whose they are.
    pub fn judged(&self) -> u32 {
        self.answers.saturating_sub(self.unclear)
    }
}

/// Whether so many at once got their own answers, in all tries: all came, and at least [`JUDGED`] say whose they are.
async fn round(client: &Client, endpoint: &Endpoint, width: u32, found: &mut Canary) -> bool {
    let (judged, failed) = (found.judged(), found.failed.len());
    for _ in 0..TRIES {
        let words = WORDS.iter().take(width as usize);
        let answers = join_all(words.map(|word| ask(client, endpoint, word))).await;
        let before = found.mixed.len();
        for (i, answer) in answers.into_iter().enumerate() {
            let answer = match answer {
                Ok(answer) => answer,
                Err(failure) => {
                    found.failed.push(failure);
                    continue;
                }
            };
            found.answers += 1;
            match whose(&answer, i) {
                Whose::Own => {}
                Whose::Unclear => found.unclear += 1,
                Whose::Another(other) => {
                    let word = |i: usize| WORDS.get(i).copied().unwrap_or_default().to_owned();
                    found.mixed.push((word(i), word(other)));
                }
            }
        }
        if found.mixed.len() > before {
            return false;
        }
    }
    found.failed.len() == failed && found.judged() >= judged + JUDGED
}

async fn ask(client: &Client, endpoint: &Endpoint, word: &str) -> Result<String, String> {
    let said = format!("Say only this one word, and nothing else: {word}");
    let request = Request {
        endpoint: endpoint.clone(),
        messages: vec![(Speaker::User, said)],
        max_tokens: TOKENS,
        temperature: 0.0,
        level: Level::Low,
        level_support: endpoint.level.unwrap_or(LevelSupport::Unknown),
        format: AnswerFormat::Text,
        silence: PATIENCE,
    };
    let mut stream = client.stream(request);
    let mut text = String::new();
    let reading = async {
        while let Some(chunk) = stream.next().await {
            match chunk {
                // Thinking is of the same request as its answer, and may be all that comes.
                Ok(Chunk::Answer(piece) | Chunk::Thinking(piece)) if text.len() < ANSWER => text.push_str(&piece),
                Ok(_) => {}
                Err(failure) => return Err(failure.message.to_string()),
            }
        }
        Ok(())
    };
    match tokio::time::timeout(PATIENCE, reading).await {
        Ok(Ok(())) => Ok(text),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(format!("no whole answer within {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};

    use super::super::tests::endpoint;
    use super::*;
    use crate::domain::fleet::Protocol;

    /// A server that answers `width` at a time, each with its own words, or from `mixes` at once on with its neighbour's.
    /// Every round of the canary has its own width, told by `widths`.
    fn mixing(mixes: u32, says: Option<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let waiting: Arc<Mutex<Vec<(std::net::TcpStream, String)>>> = Arc::default();
        std::thread::spawn(move || {
            while let Ok((mut socket, _)) = listener.accept() {
                let mut request = String::new();
                let mut bytes = [0u8; 4096];
                while !request.contains("nothing else: ") || !request.trim_end().ends_with('}') {
                    let n = socket.read(&mut bytes).unwrap();
                    request.push_str(&String::from_utf8_lossy(&bytes[..n]));
                }
                let word = request.rsplit("nothing else: ").next().unwrap();
                let word = word.chars().take_while(char::is_ascii_alphabetic).collect::<String>();
                waiting.lock().unwrap().push((socket, word));
                // Those that came together are answered together, once nobody else has come for a while.
                let (waiting, seen) = (Arc::clone(&waiting), waiting.lock().unwrap().len());
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(60));
                    let mut all = waiting.lock().unwrap();
                    if all.len() != seen {
                        return;
                    }
                    let batch: Vec<(std::net::TcpStream, String)> = all.drain(..).collect();
                    let shift = usize::from(batch.len() >= mixes as usize);
                    for i in 0..batch.len() {
                        let word = says.unwrap_or(&batch[(i + shift) % batch.len()].1);
                        let event = format!(
                            "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}.\"}},\"finish_reason\":\"stop\"}}]}}\n\ndata: [DONE]\n\n"
                        );
                        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close";
                        let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{event}", event.len());
                        (&batch[i].0).write_all(answer.as_bytes()).unwrap();
                    }
                });
            }
        });
        url
    }

    async fn tried(url: &str, width: u32) -> Canary {
        canary(&Client::new().unwrap(), &endpoint(Protocol::OpenAi, url), width).await
    }

    #[tokio::test]
    async fn a_server_that_mixes_answers_up_is_found_with_the_width_at_which_it_does_not() {
        let found = tried(&mixing(3, None), 8).await;
        assert_eq!((found.width, found.clean), (8, Some(2)), "{found:?}");
        assert!(!found.mixed.is_empty() && found.mixed.iter().all(|(asked, came)| asked != came));
        let well = tried(&mixing(99, None), 6).await;
        assert_eq!((well.clean, well.answers, well.mixed.len()), (Some(6), 12, 0), "{well:?}");
    }

    #[tokio::test]
    async fn answers_that_hold_none_of_the_words_say_nothing() {
        let found = tried(&mixing(99, Some("Once upon a time")), 4).await;
        assert_eq!((found.clean, found.judged(), found.unclear), (None, 0, 8), "{found:?}");
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let gone = tried(&format!("http://{nobody}"), 2).await;
        assert_eq!((gone.clean, gone.answers), (None, 0));
        assert!(!gone.failed.is_empty());
    }

    #[tokio::test]
    async fn a_width_is_clean_only_where_all_came_and_two_were_judged() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for (i, socket) in listener.incoming().enumerate() {
                let mut socket = socket.unwrap();
                let mut bytes = [0u8; 8192];
                let n = socket.read(&mut bytes).unwrap();
                let asked = String::from_utf8_lossy(&bytes[..n]).into_owned();
                let word = asked.rsplit("nothing else: ").next().unwrap_or_default();
                let word = word.chars().take_while(char::is_ascii_alphabetic).collect::<String>();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
                // Every second request is never answered.
                if i % 2 == 0 {
                    let event = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{word}\"}}}}]}}");
                    socket.write_all(format!("{head}{event}\n\ndata: [DONE]\n\n").as_bytes()).unwrap();
                }
            }
        });
        let half = tried(&url, 4).await;
        assert_eq!((half.clean, half.mixed.len()), (None, 0), "{half:?}");
        assert!(half.answers > 0 && !half.failed.is_empty(), "{half:?}");
    }

    #[test]
    fn an_answer_is_its_own_where_its_own_word_is_in_it() {
        assert_eq!(whose("Maple, not harbor.", 0), Whose::Own);
        assert_eq!(whose("HARBOR", 0), Whose::Another(1));
        assert_eq!(whose("", 0), Whose::Unclear);
        for (i, word) in WORDS.iter().enumerate() {
            assert!(WORDS.iter().enumerate().all(|(k, other)| k == i || !other.contains(word)), "{word}");
        }
    }
}
