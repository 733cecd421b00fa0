//! Every recording of a real server is decoded, cut at every byte; and the client against small servers of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test: what goes wrong fails it"
)]

mod recording {
    //! Recordings: `tests/wire/*/*.txt`, in the format that `tests/wire/README.md` tells.

    use std::fs;
    use std::path::Path;

    use baton::domain::fleet::{Api, Protocol};

    /// One answer of a real server.
    pub(super) struct Recording {
        /// `mlx/chat_stream`.
        pub(super) name: String,
        /// How the request was spoken; none where it is none of Baton's.
        pub(super) form: Option<(Protocol, Api)>,
        pub(super) status: u16,
        pub(super) body: Vec<u8>,
    }

    /// All recordings that have an answer, in order of name.
    pub(super) fn all() -> Vec<Recording> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
        let mut all = Vec::new();
        for server in ["llama-server", "mlx", "ollama"] {
            for file in fs::read_dir(root.join(server)).unwrap() {
                let path = file.unwrap().path();
                let name = format!("{server}/{}", path.file_stem().unwrap().to_str().unwrap());
                all.extend(read(name, &fs::read(path).unwrap()));
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The recording of that name.
    pub(super) fn one(name: &str) -> Recording {
        all().into_iter().find(|recording| recording.name == name).unwrap_or_else(|| panic!("no recording {name}"))
    }

    fn read(name: String, file: &[u8]) -> Option<Recording> {
        let mut lines = file.split_inclusive(|b| *b == b'\n').peekable();
        let first = String::from_utf8_lossy(lines.peek()?).into_owned();
        let status_line = lines.find(|line| line.starts_with(b"HTTP/1."))?;
        let status = std::str::from_utf8(status_line).unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines.by_ref().take_while(|line| *line != b"\r\n").collect();
        let body = lines.take_while(|line| !line.starts_with(b"# curl:")).filter(|line| !line.starts_with(b"# ..."));
        let mut body: Vec<u8> = body.flatten().copied().collect();
        if name == "ollama/prompt_too_long_generate" {
            body = without_context(&body);
        }
        let chunked = headers.iter().any(|h| h.to_ascii_lowercase().starts_with(b"transfer-encoding: chunked"));
        if name.contains("_raw") && chunked {
            body = unchunked(&body);
        }
        Some(Recording { form: form(&name, &first), name, status, body })
    }

    /// By the path that was asked; a few recordings tell it in their name only.
    fn form(name: &str, first: &str) -> Option<(Protocol, Api)> {
        let path = first.strip_prefix("# POST ").unwrap_or_default();
        let path = path.split_whitespace().next().unwrap_or_default();
        let told = match name {
            "mlx/loading" | "mlx/server_sigterm_mid_stream" | "llama-server/sleep_idle" => "/v1/chat/completions",
            "ollama/runner_killed_mid_stream" | "ollama/cold_load_then_stream" => "/api/chat",
            _ => path,
        };
        match (name.split('/').next().unwrap(), told) {
            ("llama-server", "/v1/chat/completions") => Some((Protocol::LlamaCpp, Api::Chat)),
            ("llama-server", "/completion") => Some((Protocol::LlamaCpp, Api::Native)),
            ("ollama", "/api/chat") => Some((Protocol::Ollama, Api::Chat)),
            ("ollama", "/api/generate") => Some((Protocol::Ollama, Api::Native)),
            (_, "/v1/chat/completions") => Some((Protocol::OpenAi, Api::Chat)),
            (_, "/v1/completions") => Some((Protocol::OpenAi, Api::Native)),
            _ => None,
        }
    }

    /// The recording leaves out most of a list of 2000 numbers, which nobody reads.
    fn without_context(body: &[u8]) -> Vec<u8> {
        let text = String::from_utf8(body.to_vec()).unwrap();
        let (before, rest) = text.split_once("\"context\":[").unwrap();
        format!("{before}\"context\":[{}", &rest[rest.find("],\"total").unwrap()..]).into_bytes()
    }

    fn unchunked(mut framed: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(end) = framed.windows(2).position(|w| w == b"\r\n") {
            let size = usize::from_str_radix(std::str::from_utf8(&framed[..end]).unwrap(), 16).unwrap();
            if size == 0 {
                break;
            }
            body.extend_from_slice(&framed[end + 2..end + 2 + size]);
            framed = &framed[end + 2 + size + 2..];
        }
        body
    }
}

mod decoding {
    use std::collections::VecDeque;

    use baton::domain::fleet::{Api, Protocol};
    use baton::domain::protocol::{FailureKind as K, Remedy as R, TurnEnd, Usage};
    use baton::engine::providers::{Chunk, Decoder, Fault};

    use super::recording::{self, Recording};

    type Decoded = (VecDeque<Chunk>, Result<(), Fault>);

    fn decode<'a>((protocol, api): (Protocol, Api), pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
        let (mut decoder, mut out) = (Decoder::new(protocol, api), VecDeque::new());
        for piece in pieces {
            if let Err(fault) = decoder.feed(piece, &mut out) {
                return (out, Err(fault));
            }
        }
        let end = decoder.finish(&mut out);
        (out, end)
    }

    /// Accepted answers to requests of Baton's kind.
    fn streams() -> impl Iterator<Item = Recording> {
        recording::all().into_iter().filter(|r| r.status == 200 && r.form.is_some())
    }

    #[test]
    fn the_cut_of_the_network_changes_nothing() {
        let mut count = 0;
        for recording in streams() {
            let (form, body) = (recording.form.unwrap(), recording.body.as_slice());
            let whole = decode(form, [body]);
            assert_eq!(decode(form, body.chunks(1)), whole, "{}: byte by byte", recording.name);
            // Cut at every byte, line by line: equal decoders do the same from a line's end on, so it is enough that
            // the two pieces of a line leave the decoder as the whole line does.
            let (mut decoder, mut all) = (Decoder::new(form.0, form.1), VecDeque::new());
            let mut fed = Ok(());
            for line in body.split_inclusive(|b| *b == b'\n') {
                let (start, mut out) = (decoder.clone(), VecDeque::new());
                fed = decoder.feed(line, &mut out);
                for cut in 1..line.len() {
                    let (mut decoder_of_two, mut out_of_two) = (start.clone(), VecDeque::new());
                    let first = decoder_of_two.feed(&line[..cut], &mut out_of_two);
                    let second = first.and_then(|()| decoder_of_two.feed(&line[cut..], &mut out_of_two));
                    let place = format!("{}: byte {cut} of “{}”", recording.name, String::from_utf8_lossy(line));
                    assert_eq!((&second, &out_of_two), (&fed, &out), "{place}");
                    assert!(fed.is_err() || decoder_of_two == decoder, "{place}");
                }
                all.append(&mut out);
                if fed.is_err() {
                    break;
                }
            }
            let fed = fed.and_then(|()| decoder.finish(&mut all));
            assert_eq!((all, fed), whole, "{}: line by line", recording.name);
            count += 1;
        }
        assert!(count >= 70, "only {count} recordings were found");
    }

    #[test]
    fn every_answer_is_whole_or_named_broken() {
        for recording in streams() {
            let (chunks, end) = decode(recording.form.unwrap(), [recording.body.as_slice()]);
            let broken = match recording.name.as_str() {
                "mlx/server_sigterm_mid_stream" => Some((K::Cut, R::RetryHere)),
                "ollama/runner_killed_mid_stream" => Some((K::Server, R::Elsewhere)),
                // They answer no question: the model was loaded, or unloaded, and nothing said.
                "ollama/load_by_empty_generate" | "ollama/unload" => Some((K::Aborted, R::Elsewhere)),
                _ => None,
            };
            match broken {
                None => {
                    assert_eq!(end, Ok(()), "{}", recording.name);
                    assert!(matches!(chunks.back(), Some(Chunk::End { .. })), "{}", recording.name);
                    assert_eq!(chunks.iter().filter(|c| matches!(c, Chunk::End { .. })).count(), 1);
                }
                Some(expected) => {
                    let fault = end.unwrap_err();
                    assert_eq!((fault.kind, fault.remedy), expected, "{}", recording.name);
                    assert!(chunks.iter().all(|c| !matches!(c, Chunk::End { .. })));
                    assert_eq!(chunks.is_empty(), fault.kind == K::Aborted, "what was said is kept");
                }
            }
        }
    }

    #[test]
    fn an_answer_cut_short_is_never_taken_as_whole() {
        for recording in streams() {
            let body = &recording.body;
            // In the middle of the answer, wherever that falls.
            let (_, end) = decode(recording.form.unwrap(), [&body[..body.len() / 3]]);
            assert!(end.is_err(), "{}", recording.name);
        }
    }

    #[test]
    fn streams_of_other_protocols_are_no_answers() {
        for name in ["llama-server/anthropic_messages_stream", "llama-server/responses_stream"] {
            let recording = recording::one(name);
            let (_, end) = decode((Protocol::OpenAi, Api::Chat), [recording.body.as_slice()]);
            assert_eq!(end.unwrap_err().kind, K::Cut, "{name}");
        }
        for name in ["ollama/error_pull_offline", "ollama/error_create_no_file"] {
            let recording = recording::one(name);
            let (_, end) = decode((Protocol::Ollama, Api::Chat), [recording.body.as_slice()]);
            assert_eq!(end.unwrap_err().remedy, R::Elsewhere, "{name}");
        }
    }

    #[test]
    fn every_error_answer_has_its_kind_and_remedy() {
        let expected = [
            ("llama-server/busy_slots_fail_on_no_slot", K::Busy, R::RetryHere),
            ("llama-server/error_bad_json", K::Refused, R::Operator),
            ("llama-server/error_bad_json_completion", K::Refused, R::Operator),
            ("llama-server/error_grammar_stream", K::Refused, R::Operator),
            ("llama-server/error_image_on_text_model", K::Refused, R::Operator),
            ("llama-server/error_json_schema", K::Refused, R::Operator),
            ("llama-server/error_missing_messages", K::Refused, R::Operator),
            ("llama-server/error_missing_prompt", K::Refused, R::Operator),
            ("llama-server/error_prompt_too_long", K::Context, R::Elsewhere),
            ("llama-server/error_route_404", K::Refused, R::Operator),
            ("llama-server/error_wrong_method", K::Refused, R::Operator),
            ("llama-server/error_wrong_type", K::Refused, R::Operator),
            ("llama-server/loading_503_chat", K::Loading, R::RetryHere),
            ("llama-server/loading_503_health", K::Loading, R::RetryHere),
            ("llama-server/metrics_off", K::Refused, R::Operator),
            ("llama-server/post_props_off", K::Refused, R::Operator),
            ("llama-server/slots_off", K::Refused, R::Operator),
            ("llama-server/vision_error_bad_base64", K::Refused, R::Operator),
            ("llama-server/vision_error_remote_url", K::Server, R::Elsewhere),
            ("mlx/error_bad_json", K::Refused, R::Operator),
            ("mlx/error_bad_type", K::Refused, R::Operator),
            ("mlx/error_max_tokens_zero", K::Refused, R::Operator),
            ("mlx/error_missing_messages", K::Refused, R::Operator),
            ("mlx/error_no_content_length", K::Refused, R::Operator),
            ("mlx/error_post_404", K::Refused, R::Operator),
            ("mlx/error_route_404", K::Refused, R::Operator),
            ("mlx/error_unknown_model", K::NoModel, R::Operator),
            ("mlx/error_unknown_model_stream", K::NoModel, R::Operator),
            ("ollama/error_bad_format", K::Refused, R::Operator),
            ("ollama/error_bad_option_type", K::Refused, R::Operator),
            ("ollama/error_embed_on_chat_model", K::Refused, R::Operator),
            ("ollama/error_empty_body", K::Refused, R::Operator),
            ("ollama/error_forbidden_host_403", K::Unauthorized, R::Operator),
            ("ollama/error_forbidden_origin_403", K::Unauthorized, R::Operator),
            ("ollama/error_method_405", K::Refused, R::Operator),
            ("ollama/error_queue_full_503", K::Busy, R::RetryHere),
            ("ollama/error_unknown_model_generate", K::NoModel, R::Operator),
            ("ollama/prompt_too_long_chat", K::Context, R::Elsewhere),
            ("ollama/show_unknown", K::NoModel, R::Operator),
            ("ollama/v1_error_unknown_model", K::NoModel, R::Operator),
        ];
        let errors: Vec<_> = recording::all().into_iter().filter(|r| r.status >= 300).collect();
        for recording in &errors {
            let (_, kind, remedy) = expected
                .iter()
                .find(|(name, ..)| *name == recording.name)
                .unwrap_or_else(|| panic!("what is {} ({})?", recording.name, recording.status));
            let protocol = recording.form.map_or_else(
                || match recording.name.split('/').next().unwrap() {
                    "ollama" => Protocol::Ollama,
                    "mlx" => Protocol::OpenAi,
                    _ => Protocol::LlamaCpp,
                },
                |form| form.0,
            );
            let fault = Fault::of_answer(protocol, recording.status, &recording.body);
            assert_eq!((fault.kind, fault.remedy), (*kind, *remedy), "{}: {fault:?}", recording.name);
        }
        assert_eq!(errors.len(), expected.len());
    }

    /// Thinking, answer, calls and end of a recording.
    struct Read {
        thinking: String,
        answer: String,
        calls: Vec<String>,
        progress: Vec<(u64, u64)>,
        alive: usize,
        end: TurnEnd,
        usage: Usage,
    }

    fn read_of(form: (Protocol, Api), body: &[u8]) -> Read {
        let (chunks, end) = decode(form, [body]);
        assert_eq!(end, Ok(()));
        let mut read = Read {
            thinking: String::new(),
            answer: String::new(),
            calls: Vec::new(),
            progress: Vec::new(),
            alive: 0,
            end: TurnEnd::Cancelled,
            usage: Usage::default(),
        };
        for chunk in chunks {
            match chunk {
                Chunk::Thinking(text) => read.thinking += &text,
                Chunk::Answer(text) => read.answer += &text,
                Chunk::ToolCall(call) => read.calls.push(call),
                Chunk::Progress { processed, total } => read.progress.push((processed, total)),
                Chunk::Alive => read.alive += 1,
                Chunk::Rethought => read.thinking += &std::mem::take(&mut read.answer),
                Chunk::Accepted => panic!("the decoder accepts nothing"),
                Chunk::End { end, usage } => (read.end, read.usage) = (end, usage),
            }
        }
        read
    }

    fn read(name: &str) -> Read {
        let recording = recording::one(name);
        read_of(recording.form.unwrap(), &recording.body)
    }

    #[test]
    fn text_comes_out_as_it_was_written() {
        let whole = read("llama-server/chat_stream");
        assert!(whole.answer.starts_with("Summary: the meeting agreed on the release date"), "{}", whole.answer);
        assert_eq!((whole.thinking.as_str(), &whole.end), ("", &TurnEnd::Stop));
        assert!(read("llama-server/chat_stream_utf8").answer.contains("Größe der Warteschlange"));
        assert!(read("llama-server/chat_stream_utf8").answer.ends_with("👩\u{200d}👩\u{200d}👧."));
        assert!(read("mlx/chat_stream_utf8").answer.starts_with("The build finished without errors."));
        assert_eq!(read("llama-server/completion_stream").answer, " should to wasory and the is. The pe que end");
        assert_eq!(read("llama-server/completion_stream_raw_chunks").answer, " should to wasory");
        assert_eq!(read("llama-server/v1_completions_stream").answer, " should to wasory and the");
        assert_eq!(read("ollama/chat_stream_raw_chunks").answer, "Yes.");
        assert_eq!(read("ollama/generate_stream").answer, "| server | port | slots |\n|---|---|---|");
        // Servers that did not stream although they were asked to.
        assert_eq!(read("mlx/error_template").answer, "| server |");
        assert_eq!(read("llama-server/chat_n2").answer, "| server | port | slots", "only the first of two answers");
    }

    #[test]
    fn thinking_is_told_from_the_answer_under_every_name() {
        const THOUGHT: &str =
            "The user asks for something simple. I should answer in one or two sentences and avoid a list.";
        for name in
            ["mlx/reasoning_stream", "mlx/reasoning_chat", "ollama/chat_thinking_stream", "ollama/chat_thinking"]
        {
            let read = read(name);
            assert_eq!((read.thinking.trim(), read.answer.as_str()), (THOUGHT, "Yes."), "{name}");
        }
        for name in ["llama-server/reasoning_stream", "llama-server/gptoss_template_reasoning_stream"] {
            let read = read(name);
            assert!(read.thinking.trim().starts_with("Let me check the facts first."), "{name}");
            assert_eq!(read.answer, "Yes.", "{name}");
        }
        let cut = read("llama-server/reasoning_cut_by_length_stream");
        assert_eq!((cut.answer.as_str(), cut.end), ("", TurnEnd::Length));
        let inline = read("llama-server/reasoning_format_none_stream");
        assert_eq!((inline.thinking.trim(), inline.answer.as_str()), ("Let me check the facts first. So four", ""));
        let leaked = read("llama-server/reasoning_leaks_into_content_stream");
        assert!(leaked.thinking.is_empty() && !leaked.answer.contains("think>"), "{}", leaked.answer);
        let v1 = read("ollama/v1_chat_reasoning_stream");
        assert_eq!((v1.thinking.as_str(), v1.answer.as_str()), (THOUGHT, "Yes."));
    }

    #[test]
    fn tool_calls_come_whole() {
        for name in [
            "llama-server/tool_call_stream",
            "llama-server/tool_call_required_stream",
            "llama-server/gptoss_template_tool_call_stream",
            "llama-server/tool_call_cut_by_length_stream",
            "mlx/tool_call",
            "mlx/tool_call_stream",
            "ollama/v1_tool_call_stream",
            "ollama/tool_call_stream_harmony",
        ] {
            let read = read(name);
            assert_eq!(read.calls.len(), 1, "{name}");
            let call: serde_json::Value = serde_json::from_str(&read.calls[0]).unwrap();
            assert!(!call["id"].as_str().unwrap().is_empty(), "{name}");
            if name == "ollama/tool_call_stream_harmony" {
                assert_eq!(call["name"], "run_command");
                assert_eq!(call["arguments"], serde_json::json!({"command": "cargo test", "timeout_s": 60}));
            } else {
                assert_eq!(call["name"], "get_weather", "{name}");
                assert_eq!(call["arguments"], serde_json::json!({"city": "Bristol"}), "{name}");
            }
            let end = if name.contains("length") { TurnEnd::Length } else { TurnEnd::ToolCalls };
            assert_eq!(read.end, end, "{name}");
        }
    }

    #[test]
    fn a_tool_call_that_was_cut_keeps_its_text() {
        let body = concat!(
            "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",",
            "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"ci\"}}]}}]}\n\n",
            "data: {\"choices\":[{\"finish_reason\":\"length\",\"delta\":{}}]}\n\ndata: [DONE]\n\n"
        );
        let read = read_of((Protocol::LlamaCpp, Api::Chat), body.as_bytes());
        assert_eq!(read.calls, [r#"{"id":"a","name":"f","arguments":"{\"ci"}"#]);
        assert_eq!(read.end, TurnEnd::Length);
    }

    #[test]
    fn usage_is_what_the_server_counted() {
        let usage = |name| read(name).usage;
        let expected = Usage {
            prompt_tokens: 21,
            cached_tokens: 20,
            output_tokens: 61,
            generation_us: 14_470,
            ..Usage::default()
        };
        assert_eq!(usage("llama-server/chat_stream"), expected);
        let native = usage("llama-server/completion_stream");
        assert_eq!((native.prompt_tokens, native.cached_tokens, native.output_tokens), (4, 3, 12));
        let mlx = usage("mlx/chat_stream_long_prompt_keepalive");
        assert_eq!((mlx.prompt_tokens, mlx.cached_tokens, mlx.output_tokens), (5013, 4, 2));
        let ollama = usage("ollama/chat_stream_raw_chunks");
        // 9325490 - 1108946 - 930000 - 2129000 ns are left for the queue.
        let expected =
            Usage { prompt_tokens: 16, output_tokens: 4, generation_us: 2_129, queue_us: 5_157, ..Usage::default() };
        assert_eq!(ollama, expected);
        let v1 = usage("ollama/v1_chat_stream_usage");
        assert!(v1.prompt_tokens > 0 && v1.output_tokens > 0);
        assert_eq!(usage("mlx/chat_stream_raw"), Usage::default(), "not told is not zero");
    }

    #[test]
    fn pings_and_progress_show_life() {
        assert_eq!(read("llama-server/sse_ping_during_long_prompt").alive, 6);
        assert_eq!(
            read("mlx/chat_stream_long_prompt_keepalive").progress,
            [(2048, 5009), (4096, 5009), (5008, 5009), (5009, 5009)]
        );
        let body = "data: {\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null}}],\
                    \"prompt_progress\":{\"total\":3497,\"cache\":3,\"processed\":35,\"time_ms\":4}}\n\n\
                    data: {\"choices\":[{\"finish_reason\":\"stop\",\"index\":0,\"delta\":{}}]}\n\ndata: [DONE]\n\n";
        assert_eq!(read_of((Protocol::LlamaCpp, Api::Chat), body.as_bytes()).progress, [(35, 3497)]);
    }

    #[test]
    fn lengths_and_stops() {
        for (name, end) in [
            ("llama-server/context_fills_while_generating_stream", TurnEnd::Length),
            ("llama-server/context_fills_while_generating_chat", TurnEnd::Length),
            ("llama-server/grammar_completion", TurnEnd::Stop),
            ("ollama/chat_length_stream", TurnEnd::Length),
            ("ollama/chat_plain_stream", TurnEnd::Stop),
            ("mlx/stop_word_stream", TurnEnd::Stop),
        ] {
            assert_eq!(read(name).end, end, "{name}");
        }
    }

    /// Forms that no recording shows, from the servers' sources.
    #[test]
    fn errors_inside_a_stream() {
        let token = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
        let chat = (Protocol::LlamaCpp, Api::Chat);
        let openai = (Protocol::OpenAi, Api::Chat);
        let ollama = (Protocol::Ollama, Api::Chat);
        let cases = [
            (chat, format!("{token}data: {{\"error\":{{\"code\":500,\"message\":\"Compute error.\",\"type\":\"server_error\"}}}}\n\n"), K::Server, R::Elsewhere),
            (chat, format!("{token}data: {{\"error\":{{\"code\":500,\"message\":\"Context size has been exceeded.\",\"type\":\"server_error\"}}}}\n\n"), K::Context, R::RetryHere),
            // vLLM goes on with [DONE]; that ends nothing well.
            (openai, format!("{token}data: {{\"error\":{{\"message\":\"engine died\",\"type\":\"x\",\"code\":500}}}}\n\ndata: [DONE]\n\n"), K::Server, R::Elsewhere),
            (openai, format!("{token}data: {{\"error\":\"queue full\"}}\n\n"), K::Busy, R::RetryHere),
            (ollama, "{\"error\":\"{\\\"error\\\":{\\\"code\\\":400,\\\"message\\\":\\\"x\\\",\\\"type\\\":\\\"exceed_context_size_error\\\"}}\"}\n".to_owned(), K::Context, R::Elsewhere),
            (openai, "<html><body>It works!</body></html>\n".to_owned(), K::Garbage, R::Elsewhere),
            (ollama, "<html><body>It works!</body></html>\n".to_owned(), K::Garbage, R::Elsewhere),
            (openai, "data: {nonsense}\n\n".to_owned(), K::Garbage, R::Elsewhere),
            (openai, "{\n  \"error\": {\n    \"message\": \"no\",\n    \"code\": 429\n  }\n}\n".to_owned(), K::Busy, R::RetryHere),
            // Ollama's /v1 loses the error: a blank chunk, then the end.
            (openai, format!("{token}data: {{\"model\":\"\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"\"}}}}]}}\n\n"), K::Cut, R::RetryHere),
            (openai, String::new(), K::Cut, R::RetryHere),
            (openai, "data: {\"choices\":[{\"del".to_owned(), K::Cut, R::RetryHere),
            (ollama, "{\"message\":{\"content\":\"Hi\"},\"done\":false}\n".to_owned(), K::Cut, R::RetryHere),
        ];
        for (form, body, kind, remedy) in cases {
            let (whole, end) = decode(form, [body.as_bytes()]);
            let fault = end.clone().unwrap_err();
            assert_eq!((fault.kind, fault.remedy), (kind, remedy), "{body}: {fault:?}");
            assert_eq!(decode(form, body.as_bytes().chunks(1)), (whole, end), "{body}");
        }
    }

    #[test]
    fn a_line_that_ends_too_early_is_not_passed_over() {
        let body = "{\"message\":{\"content\":\"Hi\"}\n{\"message\":{\"content\":\"x\"},\"done\":true}\n";
        let (chunks, end) = decode((Protocol::Ollama, Api::Chat), [body.as_bytes()]);
        assert_eq!((chunks.len(), end.unwrap_err().kind), (0, K::Garbage));
    }

    /// Pieces of which strange answers are made.
    const SCRAPS: [&str; 30] = [
        "data: ",
        "data:",
        "\n",
        "\r\n",
        "\n\n",
        ":",
        ": keepalive 1/2",
        "[DONE]",
        "{",
        "}",
        "{}",
        "[]",
        "\"",
        ",",
        "ü",
        "🚀",
        "event: x",
        "{\"error\":",
        "{\"error\":\"x\"}",
        "{\"done\":true}",
        "{\"content\":\"a\",\"stop\":false}",
        "{\"choices\":[{\"delta\":{\"content\":\"<think>a\"}}]}",
        "{\"choices\":[{\"delta\":{\"content\":\"</thi\"}}]}",
        "{\"choices\":[{\"delta\":{\"content\":\"nk> b\"}}]}",
        "{\"choices\":[{\"delta\":{\"content\":\"<|channel|>analysis<|message|>ü<|end\"}}]}",
        "{\"choices\":[{\"delta\":{\"content\":\"|><|start|>assistant to=functions.f<|message|>{\"}}]}",
        "{\"choices\":[{\"delta\":{\"reasoning\":\"r\"},\"finish_reason\":\"stop\"}]}",
        "{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}",
        "{\"message\":{\"content\":\"<think>x</think>y\"},\"done\":false}",
        "{\"response\":\"\\u00e4\"}",
    ];

    proptest::proptest! {
        #[test]
        fn strange_answers_break_nothing(
            scraps in proptest::collection::vec(0..SCRAPS.len(), 0..40),
            noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..8),
            size in 1_usize..40,
        ) {
            let mut body: Vec<u8> = scraps.iter().flat_map(|&at| SCRAPS[at].bytes()).collect();
            let middle = body.len() / 2;
            body.splice(middle..middle, noise);
            for protocol in [Protocol::LlamaCpp, Protocol::Ollama, Protocol::OpenAi] {
                for api in [Api::Chat, Api::Native] {
                    let whole = decode((protocol, api), [body.as_slice()]);
                    let ended = whole.0.iter().filter(|c| matches!(c, Chunk::End { .. })).count();
                    assert_eq!(ended, usize::from(whole.1.is_ok()), "{whole:?}");
                    assert_eq!(decode((protocol, api), body.chunks(size)), whole);
                }
            }
        }
    }

    #[test]
    fn chunks_with_missing_fields_and_events_over_two_lines() {
        let body = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"llama-swap loading model: x\"}}]}\r\n\r\n\
                    event: message\r\ndata:{\"choices\":\r\ndata:[{\"delta\":{\"content\":\"Hi\"}}]}\r\n\r\n\
                    data: {\"choices\":[],\"usage\":null}\r\n\r\ndata: {}\r\n\r\n\
                    data: {\"choices\":[{\"delta\":{\"content\":null},\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\r\n\r\n";
        let read = read_of((Protocol::OpenAi, Api::Chat), body.as_bytes());
        assert_eq!((read.thinking.as_str(), read.answer.as_str()), ("llama-swap loading model: x", "Hi"));
        assert_eq!(read.end, TurnEnd::Stop);
    }
}

/// Servers of a few lines, and the client against them. Where time plays a part it is tokio's, paused.
mod live {
    use std::future::Future;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use baton::domain::fleet::{Api, Endpoint, Nature, Protocol, SecretRef};
    use baton::domain::protocol::{Failure, FailureKind, Health, Level, LevelSupport, Remedy, Speaker, TurnEnd};
    use baton::engine::providers::{
        AnswerFormat, Chunk, Client, Depth, Phase, Request, ServerKind, Traffic, Whom, drained, identify, probe,
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::{mpsc, oneshot};
    use tokio::time::Instant;

    /// The time an address is given that nothing is known of.
    const LOOK: Duration = Duration::from_secs(2);
    const SSE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    const TOKEN: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    const END: &str = "data: {\"choices\":[{\"finish_reason\":\"stop\",\"delta\":{}}]}\n\ndata: [DONE]\n\n";

    /// Runs `each` for every connection; the address to ask.
    async fn serve<F>(each: impl Fn(TcpStream) -> F + Send + 'static) -> String
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(each(socket));
            }
        });
        url
    }

    /// One request, head and body; none when the client has closed.
    async fn heard(socket: &mut TcpStream) -> Option<String> {
        let mut text = Vec::new();
        loop {
            let whole = String::from_utf8_lossy(&text).into_owned();
            if let Some((head, body)) = whole.split_once("\r\n\r\n") {
                let head = head.to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |n| n.parse().unwrap()) {
                    return Some(whole);
                }
            }
            if socket.read_buf(&mut text).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    async fn say(socket: &mut TcpStream, text: &str) {
        socket.write_all(text.as_bytes()).await.unwrap();
    }

    async fn say_chunk(socket: &mut TcpStream, text: &str) {
        say(socket, &format!("{:x}\r\n{text}\r\n", text.len())).await;
    }

    async fn say_json(socket: &mut TcpStream, status: u16, body: &str) {
        let length = body.len();
        say(socket, &format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}")).await;
    }

    fn endpoint(protocol: Protocol, url: &str) -> Endpoint {
        Endpoint {
            name: "test".parse().unwrap(),
            title: Some("Test Model".to_owned()),
            tiers: Vec::new(),
            protocol,
            url: url.to_owned(),
            model: "kitty".to_owned(),
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

    fn request(url: &str) -> Request {
        Request {
            endpoint: endpoint(Protocol::LlamaCpp, url),
            messages: vec![(Speaker::User, "Q".to_owned())],
            max_tokens: 64,
            temperature: 0.25,
            level: Level::Low,
            level_support: LevelSupport::Unknown,
            format: AnswerFormat::Text,
            silence: Duration::from_secs(30),
        }
    }

    async fn all(client: &Client, request: Request) -> (Vec<Chunk>, Option<Failure>) {
        let (mut stream, mut chunks) = (client.stream(request), Vec::new());
        while let Some(item) = stream.next().await {
            match item {
                Ok(chunk) => chunks.push(chunk),
                Err(failure) => {
                    assert!(stream.next().await.is_none(), "nothing comes after a failure");
                    return (chunks, Some(failure));
                }
            }
        }
        (chunks, None)
    }

    /// As llama-server does: the connection is closed after each stream, sooner or later, without a word of it in a head
    /// that promises the contrary. No request may meet that.
    #[tokio::test]
    async fn an_answer_has_a_connection_of_its_own() {
        for closes_after in [0, 50, 300].map(Duration::from_millis) {
            let connections = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&connections);
            let url = serve(move |mut socket| {
                counted.fetch_add(1, Ordering::SeqCst);
                async move {
                    let request = heard(&mut socket).await.unwrap();
                    assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{request}");
                    assert!(!request.to_ascii_lowercase().contains("transfer-encoding"), "{request}");
                    assert!(request.contains("accept-encoding: identity\r\n"), "{request}");
                    say(
                        &mut socket,
                        "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5, max=100\r\nTransfer-Encoding: chunked\r\n\r\n",
                    )
                    .await;
                    say_chunk(&mut socket, TOKEN).await;
                    say_chunk(&mut socket, END).await;
                    // Whoever has heard the end may be gone.
                    let _ = socket.write_all(b"0\r\n\r\n").await;
                    tokio::time::sleep(closes_after).await;
                    let _ = socket.shutdown().await;
                    assert_eq!(heard(&mut socket).await, None, "no request comes over it again");
                }
            })
            .await;
            let client = Client::new().unwrap();
            for _ in 0..4 {
                let (client, request) = (client.clone(), request(&format!("{url}/v1")));
                let (chunks, failure) = tokio::spawn(async move { all(&client, request).await }).await.unwrap();
                assert_eq!(failure, None);
                assert_eq!(chunks[..2], [Chunk::Accepted, Chunk::Answer("Hi".to_owned())]);
                assert!(matches!(chunks[2..], [Chunk::End { end: TurnEnd::Stop, .. }]), "{chunks:?}");
            }
            assert_eq!(connections.load(Ordering::SeqCst), 4);
        }
    }

    #[tokio::test]
    async fn every_form_of_http_is_read_and_what_is_none_is_named() {
        let said = |answer: String| {
            serve(move |mut socket| {
                let answer = answer.clone();
                async move {
                    heard(&mut socket).await;
                    let _ = socket.write_all(answer.as_bytes()).await;
                }
            })
        };
        let body = format!("{TOKEN}{END}");
        let (n, chunked) = (body.len(), format!("{:x}\r\n{body}\r\n0\r\n", body.len()));
        for answer in [
            format!("HTTP/1.0 200 OK\r\n\r\n{body}"),
            format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}"),
            format!("HTTP/1.1 200 OK\r\nContent-Length: {n}\r\n\r\n{body}"),
            format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {n}\r\n\r\n{body}"),
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n{chunked}X-T: 3\r\n\r\n"),
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n{chunked}\r\n"),
        ] {
            let url = said(answer.clone()).await;
            let (chunks, failure) = all(&Client::new().unwrap(), request(&url)).await;
            assert_eq!(failure, None, "{answer}");
            assert_eq!(chunks[1], Chunk::Answer("Hi".to_owned()), "{answer}");
        }
        let fields = "X-Field: y\r\n".repeat(200);
        for (answer, kind, words) in [
            ("SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned(), FailureKind::Garbage, "what came is no HTTP"),
            (format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), FailureKind::Cut, "message head is too large"),
            ("HTTP/1.1 200 OK\r\nContent-Le".to_owned(), FailureKind::Cut, "closed before message completed"),
            (format!("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{TOKEN}"), FailureKind::Cut, "in the middle"),
        ] {
            let url = said(answer.clone()).await;
            let failure = all(&Client::new().unwrap(), request(&url)).await.1.unwrap();
            assert_eq!(failure.kind, kind, "{answer}: {failure:?}");
            assert!(failure.message.contains(words), "{answer}: {failure:?}");
        }
        let failure = all(&Client::new().unwrap(), request("http://no-such-host.invalid:9")).await.1.unwrap();
        assert_eq!((failure.kind, failure.remedy), (FailureKind::Unreachable, Remedy::Elsewhere), "{failure:?}");
        assert!(failure.message.contains("no host of that name"), "{failure:?}");
    }

    #[tokio::test]
    async fn a_server_is_asked_by_the_name_it_has_in_its_url_at_whichever_of_its_addresses_it_listens() {
        for (at, host) in [("127.0.0.1:0", "127.0.0.1"), ("127.0.0.1:0", "localhost"), ("[::1]:0", "[::1]")] {
            // There are machines without IPv6.
            let Ok(listener) = TcpListener::bind(at).await else { continue };
            let port = listener.local_addr().unwrap().port();
            let served = tokio::spawn(async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = heard(&mut socket).await.unwrap();
                say(&mut socket, &format!("HTTP/1.0 200 OK\r\n\r\n{TOKEN}{END}")).await;
                request
            });
            let mut asked = request(&format!("http://{host}:{port}"));
            asked.endpoint.key = Some(SecretRef::Command("echo sk-planted-key".to_owned()));
            assert_eq!(all(&Client::new().unwrap(), asked).await.1, None);
            let request = served.await.unwrap();
            assert!(request.contains(&format!("\r\nhost: {host}:{port}\r\n")), "{request}");
            assert!(request.contains("\r\nauthorization: Bearer sk-planted-key\r\n"), "{request}");
            assert!(
                request.contains(concat!("\r\nuser-agent: baton/", env!("CARGO_PKG_VERSION"), "\r\n")),
                "{request}"
            );
        }
    }

    /// The library sends these: it makes the header of a name and password that stand in the url.
    #[tokio::test]
    async fn a_name_and_a_password_in_the_url_are_sent_as_such() {
        let url = serve(|mut socket| async move {
            let request = heard(&mut socket).await.unwrap();
            assert!(request.contains("authorization: Basic bWU6cHc=\r\n"), "{request}");
            say(&mut socket, &format!("HTTP/1.0 200 OK\r\n\r\n{TOKEN}{END}")).await;
        })
        .await;
        let url = url.replace("http://", "http://me:pw@");
        assert_eq!(all(&Client::new().unwrap(), request(&url)).await.1, None);
    }

    #[tokio::test]
    async fn state_is_read_again_over_another_connection_where_the_kept_one_was_closed() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let url = serve(move |mut socket| {
            let counted = Arc::clone(&counted);
            async move {
                heard(&mut socket).await;
                say_json(&mut socket, 200, r#"{"status":"ok"}"#).await;
                // The next question comes over this connection, and gets no answer.
                if heard(&mut socket).await.is_some() {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
        .await;
        let client = Client::new().unwrap();
        for _ in 0..4 {
            let report = probe(&client, &endpoint(Protocol::LlamaCpp, &url), Depth::Light, Traffic::Quiet).await;
            assert_eq!(report.health, Health::Up, "{report:?}");
        }
        assert!(asked.load(Ordering::SeqCst) > 0, "connections for state are kept");
    }

    /// llama-server that is asked to end: it takes no connection any more, cuts its streams, and answers for some
    /// milliseconds over the connections it has.
    #[tokio::test]
    async fn a_server_whose_stream_broke_is_looked_at_over_a_new_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (end, mut ended) = mpsc::channel(1);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    met = listener.accept() => {
                        let (mut socket, end) = (met.unwrap().0, end.clone());
                        tokio::spawn(async move {
                            while let Some(request) = heard(&mut socket).await {
                                if request.starts_with("POST") {
                                    end.send(()).await.unwrap();
                                    end.closed().await;
                                    say(&mut socket, SSE).await;
                                    return say_chunk(&mut socket, TOKEN).await;
                                }
                                say_json(&mut socket, 200, r#"{"status":"ok"}"#).await;
                            }
                        });
                    }
                    _ = ended.recv() => break,
                }
            }
        });
        let (client, endpoint) = (Client::new().unwrap(), endpoint(Protocol::LlamaCpp, &url));
        let look = async || probe(&client, &endpoint, Depth::Light, Traffic::Quiet).await.health;
        assert_eq!(look().await, Health::Up);
        assert_eq!(all(&client, request(&url)).await.1.unwrap().kind, FailureKind::Cut);
        let health = look().await;
        assert!(matches!(&health, Health::Down { reason } if reason.contains("refused")), "{health:?}");
    }

    #[tokio::test]
    async fn what_is_no_model_server_is_said_to_be_none() {
        let page = "<html><head><title>Directory listing</title></head></html>";
        for (head, words) in [
            (
                "404 File not found",
                "no model server (it says SimpleHTTP/0.6): it answered 404 with the page “Directory listing” at /v1/chat/completions",
            ),
            ("200 OK", "no model server (it says SimpleHTTP/0.6): it answered with the page “Directory listing”"),
        ] {
            let url = serve(move |mut socket| async move {
                heard(&mut socket).await;
                let length = page.len();
                say(
                    &mut socket,
                    &format!("HTTP/1.1 {head}\r\nServer: SimpleHTTP/0.6\r\nContent-Length: {length}\r\n\r\n{page}"),
                )
                .await;
            })
            .await;
            let failure = all(&Client::new().unwrap(), request(&format!("{url}/v1/chat/completions"))).await.1.unwrap();
            assert!(failure.message.contains(words), "{failure:?}");
        }
        let url = serve(|mut socket| async move {
            heard(&mut socket).await;
            let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n";
            socket.write_all(head.as_bytes()).await.unwrap();
            socket.write_all(b"\x1f\x8b\x08\x00").await.unwrap();
        })
        .await;
        let failure = all(&Client::new().unwrap(), request(&url)).await.1.unwrap();
        assert_eq!(failure.kind, FailureKind::Garbage);
        assert!(failure.message.contains("compressed (gzip), which was not asked for"), "{failure:?}");
    }

    #[tokio::test]
    async fn a_connection_that_ends_too_early_is_cut() {
        for after in ["", "1f\r\nhalf a chunk", "0\r\n\r\n"] {
            let url = serve(move |mut socket| async move {
                heard(&mut socket).await;
                say(&mut socket, SSE).await;
                say_chunk(&mut socket, TOKEN).await;
                say(&mut socket, after).await;
            })
            .await;
            let (chunks, failure) = all(&Client::new().unwrap(), request(&url)).await;
            assert_eq!(chunks, [Chunk::Accepted, Chunk::Answer("Hi".to_owned())]);
            let failure = failure.unwrap();
            assert_eq!((failure.kind, failure.remedy), (FailureKind::Cut, Remedy::RetryHere), "{failure:?}");
            assert!(failure.message.contains("Test Model") && failure.message.contains(&url), "{failure:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_whose_end_was_told_is_over_though_its_connection_stays_open() {
        let url = serve(|mut socket| async move {
            heard(&mut socket).await;
            say(&mut socket, SSE).await;
            say_chunk(&mut socket, TOKEN).await;
            say_chunk(&mut socket, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n")
                .await;
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                say_chunk(&mut socket, ": ping\n\n").await;
            }
        })
        .await;
        let begun = Instant::now();
        let (chunks, failure) = all(&Client::new().unwrap(), request(&url)).await;
        assert!(failure.is_none() && begun.elapsed() < Duration::from_secs(5), "{failure:?}");
        assert!(matches!(chunks.last(), Some(Chunk::End { end: TurnEnd::Stop, .. })), "{chunks:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_given_up_wherever_it_comes_and_any_byte_ends_it() {
        for (head, text, words) in [
            ("", "", "not even the head"),
            (SSE, ":\n\n", "while the prompt was read"),
            (SSE, TOKEN, "in the middle of the answer"),
        ] {
            let url = serve(move |mut socket| async move {
                heard(&mut socket).await;
                if !head.is_empty() {
                    tokio::time::sleep(Duration::from_secs(20)).await;
                    say(&mut socket, head).await;
                    for _ in 0..3 {
                        tokio::time::sleep(Duration::from_secs(20)).await;
                        say_chunk(&mut socket, text).await;
                    }
                }
                heard(&mut socket).await;
            })
            .await;
            let begun = Instant::now();
            let (chunks, failure) = all(&Client::new().unwrap(), request(&url)).await;
            let failure = failure.unwrap();
            assert_eq!((failure.kind, failure.remedy), (FailureKind::Silent, Remedy::Elsewhere));
            assert!(failure.message.contains(words) && failure.message.contains("silence_seconds"), "{failure:?}");
            assert_eq!((chunks.len(), begun.elapsed().as_secs()), if head.is_empty() { (0, 30) } else { (4, 80 + 30) });
        }
    }

    #[tokio::test]
    async fn dropping_the_stream_closes_its_connection() {
        // While it generates, and while it is queued.
        for headers in [SSE, ""] {
            let (closed, mut was_closed) = mpsc::channel(1);
            let (arrived, mut has_arrived) = mpsc::channel(1);
            let url = serve(move |mut socket| {
                let (closed, arrived) = (closed.clone(), arrived.clone());
                async move {
                    heard(&mut socket).await;
                    say(&mut socket, headers).await;
                    arrived.send(()).await.unwrap();
                    assert_eq!(heard(&mut socket).await, None);
                    closed.send(()).await.unwrap();
                }
            })
            .await;
            let client = Client::new().unwrap();
            let mut stream = client.stream(request(&url));
            if headers.is_empty() {
                tokio::select! {
                    item = stream.next() => panic!("{item:?}"),
                    _ = has_arrived.recv() => {}
                }
            } else {
                assert_eq!(stream.next().await.unwrap().unwrap(), Chunk::Accepted);
            }
            drop(stream);
            was_closed.recv().await.unwrap();
        }
    }

    #[tokio::test]
    async fn waiting_may_be_dropped_and_taken_up_again() {
        let (go, mut gone) = mpsc::channel::<()>(1);
        let (first, given) = oneshot::channel();
        let once = std::sync::Mutex::new(Some((first, go)));
        let url = serve(move |mut socket| {
            let once = once.lock().unwrap().take();
            async move {
                let (first, go) = once.unwrap();
                heard(&mut socket).await;
                first.send(()).unwrap();
                go.closed().await;
                say(&mut socket, SSE).await;
                say_chunk(&mut socket, TOKEN).await;
                say_chunk(&mut socket, END).await;
                say(&mut socket, "0\r\n\r\n").await;
            }
        })
        .await;
        let client = Client::new().unwrap();
        let mut stream = client.stream(request(&url));
        tokio::select! {
            biased;
            item = stream.next() => panic!("{item:?}"),
            _ = given => {}
        }
        gone.close();
        assert_eq!(stream.next().await.unwrap().unwrap(), Chunk::Accepted);
        assert_eq!(stream.next().await.unwrap().unwrap(), Chunk::Answer("Hi".to_owned()));
        assert!(matches!(stream.next().await.unwrap().unwrap(), Chunk::End { .. }));
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn nothing_listening_is_unreachable() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let client = Client::new().unwrap();
        let failure = all(&client, request(&url)).await.1.unwrap();
        assert_eq!((failure.kind, failure.remedy), (FailureKind::Unreachable, Remedy::Elsewhere), "{failure:?}");
        assert!(failure.message.contains("refused"), "{failure:?}");
        let failure = all(&client, request("http://[bad")).await.1.unwrap();
        assert_eq!((failure.kind, failure.remedy), (FailureKind::Refused, Remedy::Operator), "{failure:?}");
        let report = probe(&client, &endpoint(Protocol::LlamaCpp, &url), Depth::Slots, Traffic::Flowing).await;
        assert!(matches!(&report.health, Health::Down { reason } if reason.contains("Test Model")), "{report:?}");
        assert!(identify(&client, Whom::Address(&url), LOOK).await.is_err());
    }

    #[tokio::test]
    async fn a_server_that_goes_before_its_headers_is_cut() {
        let url = serve(|mut socket| async move {
            heard(&mut socket).await;
        })
        .await;
        let failure = all(&Client::new().unwrap(), request(&url)).await.1.unwrap();
        assert_eq!((failure.kind, failure.remedy), (FailureKind::Cut, Remedy::RetryHere), "{failure:?}");
    }

    #[tokio::test]
    async fn a_key_is_sent_and_never_comes_back() {
        let url = serve(|mut socket| async move {
            let request = heard(&mut socket).await.unwrap();
            assert!(request.contains("authorization: Bearer sk-planted-key\r\n"), "{request}");
            if request.contains("refuse") {
                return say_json(&mut socket, 401, "{\"error\":\"no sk-planted-key here\"}").await;
            }
            say(&mut socket, SSE).await;
            say_chunk(&mut socket, "data: {\"choices\":[{\"delta\":{\"reasoning\":\"the sk-pla\"}}]}\n\n").await;
            say_chunk(&mut socket, "data: {\"choices\":[{\"delta\":{\"reasoning\":\"nted-key\"}}]}\n\n").await;
            say_chunk(&mut socket, END).await;
            say(&mut socket, "0\r\n\r\n").await;
        })
        .await;
        let client = Client::new().unwrap();
        let mut asked = request(&url);
        asked.endpoint.key = Some(SecretRef::Command("echo sk-planted-key".to_owned()));
        let (chunks, failure) = all(&client, asked.clone()).await;
        assert_eq!(failure, None);
        let thinking: String = chunks
            .iter()
            .filter_map(|c| if let Chunk::Thinking(text) = c { Some(text.as_str()) } else { None })
            .collect();
        assert_eq!(thinking, "the «secret»");
        assert_eq!(client.redactor().text("a sk-planted-key"), "a «secret»");
        asked.messages[0].1 = "refuse".to_owned();
        let failure = all(&client, asked.clone()).await.1.unwrap();
        assert_eq!((failure.kind, failure.remedy), (FailureKind::Unauthorized, Remedy::Operator));
        assert!(failure.message.contains("no «secret» here"), "{failure:?}");
        asked.endpoint.key = Some(SecretRef::Env("BATON_TEST_NO_SUCH_KEY".to_owned()));
        let failure = all(&client, asked).await.1.unwrap();
        assert_eq!((failure.kind, failure.remedy), (FailureKind::Secret, Remedy::Operator));
    }

    #[tokio::test]
    async fn a_key_that_a_probe_brings_back_is_replaced() {
        let url = serve(|mut socket| async move {
            while let Some(request) = heard(&mut socket).await {
                let key = request.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap();
                let body = format!(
                    "{{\"build_info\":\"{key}\",\"total_slots\":2,\"default_generation_settings\":{{\"n_ctx\":8192}},\
                     \"data\":[{{\"id\":\"{key}\"}}]}}"
                );
                say(
                    &mut socket,
                    &format!("HTTP/1.1 200 X\r\nServer: {key}\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
                )
                .await;
            }
        })
        .await;
        let client = Client::new().unwrap();
        for protocol in [Protocol::LlamaCpp, Protocol::OpenAi, Protocol::Ollama] {
            let mut keyed = endpoint(protocol, &url);
            keyed.key = Some(SecretRef::Command("echo sk-planted-key".to_owned()));
            let report = probe(&client, &keyed, Depth::Light, Traffic::Quiet).await;
            assert!(!format!("{report:?}").contains("sk-planted"), "{report:?}");
            let found = identify(&client, Whom::Endpoint(&keyed), LOOK).await;
            assert!(!format!("{found:?}").contains("sk-planted"), "{found:?}");
        }
    }

    /// A server of recordings: state by path.
    async fn recorded(paths: &'static [(&'static str, &'static str)]) -> String {
        serve(move |mut socket| async move {
            while let Some(request) = heard(&mut socket).await {
                let path = request.split(' ').nth(1).unwrap();
                // A server with one model ignores the question for another's.
                let path = path.split('?').next().unwrap();
                match paths.iter().find(|(known, _)| *known == path) {
                    Some((_, name)) => {
                        let recording = super::recording::one(name);
                        let body = String::from_utf8(recording.body).unwrap();
                        say_json(&mut socket, recording.status, body.trim_end()).await;
                    }
                    None => say_json(&mut socket, 404, "404 page not found").await,
                }
            }
        })
        .await
    }

    #[tokio::test]
    async fn probes_read_what_servers_tell() {
        let client = Client::new().unwrap();
        let url = recorded(&[
            ("/health", "llama-server/health"),
            ("/props", "llama-server/props"),
            ("/slots", "llama-server/slots_idle"),
            ("/v1/models", "llama-server/v1_models"),
        ])
        .await;
        let report = probe(&client, &endpoint(Protocol::LlamaCpp, &url), Depth::Slots, Traffic::Quiet).await;
        assert_eq!((&report.health, report.slots, report.busy), (&Health::Up, Some(6), Some(0)), "{report:?}");
        assert_eq!((report.context, report.level), (Some(4096), LevelSupport::None));
        assert_eq!(report.server.unwrap().as_str(), "llama.cpp b0-0c1e57098");
        let light = probe(&client, &endpoint(Protocol::LlamaCpp, &url), Depth::Light, Traffic::Quiet).await;
        assert_eq!(light.busy, None);
        let found = identify(&client, Whom::Address(&format!("{url}/v1")), LOOK).await.unwrap();
        assert_eq!(
            (found.kind, found.models[0].slots, found.models[0].context),
            (ServerKind::LlamaCpp, Some(6), Some(4096))
        );
        assert_eq!(found.models.len(), 1);

        let url = recorded(&[("/health", "llama-server/loading_503_health")]).await;
        let report = probe(&client, &endpoint(Protocol::LlamaCpp, &url), Depth::Light, Traffic::Quiet).await;
        assert_eq!(report.health, Health::Loading);

        let url = recorded(&[
            ("/api/version", "ollama/version"),
            ("/api/show", "ollama/show"),
            ("/api/ps", "ollama/ps_loaded"),
            ("/api/tags", "ollama/tags"),
            ("/v1/models", "ollama/v1_models"),
        ])
        .await;
        let mut ollama = endpoint(Protocol::Ollama, &url);
        ollama.model = "gpt-oss:120b".to_owned();
        let report = probe(&client, &ollama, Depth::Light, Traffic::Quiet).await;
        assert_eq!((&report.health, report.resident), (&Health::Up, Some(24_935_136)), "{report:?}");
        assert_eq!(report.level, LevelSupport::Graded);
        assert!(report.context.is_some_and(|n| n > 0), "{report:?}");
        let found = identify(&client, Whom::Address(&url), LOOK).await.unwrap();
        assert_eq!(found.kind, ServerKind::Ollama);
        assert!(found.models.iter().any(|model| model.name == "gpt-oss:120b"), "{found:?}");

        let url = recorded(&[("/api/version", "ollama/version"), ("/api/show", "ollama/show_unknown")]).await;
        let report = probe(&client, &endpoint(Protocol::Ollama, &url), Depth::Light, Traffic::Quiet).await;
        assert!(matches!(&report.health, Health::Down { reason } if reason.contains("ollama pull")), "{report:?}");

        let url = recorded(&[("/v1/models", "mlx/v1_models")]).await;
        let report = probe(&client, &endpoint(Protocol::OpenAi, &url), Depth::Light, Traffic::Quiet).await;
        assert_eq!((report.health, report.level), (Health::Up, LevelSupport::Unknown));
    }

    #[tokio::test]
    async fn a_router_is_asked_for_its_model_and_loads_nothing() {
        for loaded in [true, false] {
            let url = serve(move |mut socket| async move {
                while let Some(request) = heard(&mut socket).await {
                    let (status, body) = match request.split(' ').nth(1).unwrap() {
                        "/health" => (200, r#"{"status":"ok"}"#),
                        "/props" => {
                            (200, r#"{"role":"router","build_info":"b1","default_generation_settings":{"n_ctx":0}}"#)
                        }
                        "/props?autoload=0&model=org%2Fkitty%3Aq4" if loaded => {
                            (200, r#"{"total_slots":3,"default_generation_settings":{"n_ctx":8192}}"#)
                        }
                        "/slots?autoload=0&model=org%2Fkitty%3Aq4" if loaded => {
                            (200, r#"[{"id":0,"is_processing":true}]"#)
                        }
                        "/models" => (200, r#"{"data":[{"id":"org/kitty:q4"}]}"#),
                        "/props?autoload=0&model=org%2Fkitty%3Aq4" => (
                            400,
                            r#"{"error":{"code":400,"message":"model is not loaded","type":"invalid_request_error"}}"#,
                        ),
                        other => panic!("{other}"),
                    };
                    say_json(&mut socket, status, body).await;
                }
            })
            .await;
            let mut router = endpoint(Protocol::LlamaCpp, &url);
            router.model = "org/kitty:q4".to_owned();
            let report = probe(&Client::new().unwrap(), &router, Depth::Slots, Traffic::Quiet).await;
            let expected = if loaded { (Some(3), Some(1), Some(8192)) } else { (None, None, None) };
            assert_eq!((report.slots, report.busy, report.context), expected, "{report:?}");
            assert_eq!((report.health, report.server.unwrap().as_str()), (Health::Up, "llama.cpp router b1"));
        }
    }

    #[tokio::test]
    async fn the_wait_a_busy_server_asks_for_is_told() {
        for (header, ms, words) in [
            ("Retry-After: 7", 7_000, "7 s"),
            ("Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun, 06 Nov 1994 08:49:30 GMT", 7_000, "7 s"),
            ("Retry-After-Ms: 1500", 1_500, "1.5 s"),
            ("Retry-After: 7200", 3_600_000, "2 h"),
        ] {
            let url = serve(move |mut socket| async move {
                heard(&mut socket).await;
                let head = format!("HTTP/1.1 429 X\r\n{header}\r\nContent-Length: 16\r\n\r\n");
                say(&mut socket, &format!("{head}{{\"error\":\"busy\"}}")).await;
            })
            .await;
            let failure = all(&Client::new().unwrap(), request(&url)).await.1.unwrap();
            assert_eq!((failure.kind, failure.remedy), (FailureKind::Busy, Remedy::RetryHere));
            assert_eq!(failure.told.wait_ms, Some(ms), "{failure:?}");
            assert!(failure.message.contains(&format!("429 “busy” and asks for a wait of {words}")), "{failure:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_answer_in_time_means_down_only_where_nothing_of_ours_runs() {
        let url = serve(|mut socket| async move {
            heard(&mut socket).await;
            heard(&mut socket).await;
        })
        .await;
        let client = Client::new().unwrap();
        let llama = endpoint(Protocol::LlamaCpp, &url);
        let quiet = probe(&client, &llama, Depth::Light, Traffic::Quiet).await;
        assert!(matches!(quiet.health, Health::Down { .. }), "{quiet:?}");
        let flowing = probe(&client, &llama, Depth::Light, Traffic::Flowing).await;
        assert_eq!(flowing.health, Health::Unknown);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_looked_at_no_faster_than_every_two_seconds() {
        let looks = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&looks);
        let url = serve(move |mut socket| {
            let counted = Arc::clone(&counted);
            async move {
                while heard(&mut socket).await.is_some() {
                    let mine = counted.fetch_add(1, Ordering::SeqCst) < 2;
                    say_json(
                        &mut socket,
                        200,
                        &format!("[{{\"id\":0,\"is_processing\":true}},{{\"id\":1,\"is_processing\":{mine}}}]"),
                    )
                    .await;
                }
            }
        })
        .await;
        let client = Client::new().unwrap();
        let llama = endpoint(Protocol::LlamaCpp, &url);
        let begun = Instant::now();
        drained(&client, &llama, Phase::Generating, 1).await;
        assert_eq!(looks.load(Ordering::SeqCst), 3);
        assert!((4060..4200).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
        let begun = Instant::now();
        drained(&client, &llama, Phase::Queued, 1).await;
        assert!((1100..1200).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
        // Others are never fewer: it gives up in time.
        let begun = Instant::now();
        drained(&client, &llama, Phase::Prompt, 0).await;
        assert!((30_000..33_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn servers_that_show_no_slots_are_waited_for() {
        let url = recorded(&[("/slots", "llama-server/slots_off")]).await;
        let client = Client::new().unwrap();
        for (protocol, phase, ms) in [
            (Protocol::LlamaCpp, Phase::Generating, 2000),
            (Protocol::Ollama, Phase::Generating, 300),
            (Protocol::Ollama, Phase::Prompt, 1300),
            (Protocol::Ollama, Phase::Queued, 50),
            (Protocol::OpenAi, Phase::Generating, 500),
            (Protocol::OpenAi, Phase::Prompt, 1500),
        ] {
            let begun = Instant::now();
            drained(&client, &endpoint(protocol, &url), phase, 0).await;
            assert!(
                (ms..ms + 50).contains(&begun.elapsed().as_millis()),
                "{protocol:?} {phase:?} {:?}",
                begun.elapsed()
            );
        }
    }
}
