"""A model server that speaks OpenAI's protocol and answers each task with what its prompt asks for: `say=N` is N words, in
pieces, `ms=M` over that time, `huge=B` one piece of B bytes that are no text, `fail=KIND` a broken try now and then."""

import json
import random
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def words(task, n):
    """What a task is answered: the same at each try."""
    chance = random.Random(task)
    return [chance.choice(["stone ", "river ", "naïve ", "🚀 ", "\\quoted\\ ", '"x" ', "line\n"]) for _ in range(n)]


def answer(prompt):
    """The text that belongs into the journal for a prompt."""
    task, given = asked(prompt)
    return "".join(words(task, given["say"])) + "\ufffd" * given["huge"]


def asked(prompt):
    task = re.search(r"Do (t\d+)\.", prompt).group(1)
    given = {name: int(n) for name, n in re.findall(r"(say|ms|huge)=(\d+)", prompt)}
    fail = re.search(r"fail=(\w+)", prompt)
    return task, {"say": 1, "ms": 10, "huge": 0, **given, "fail": fail and fail.group(1)}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def whole(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/v1/models":
            return self.whole(200, {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "x"}]})
        self.whole(404, {"error": {"message": "no such path"}})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.close_connection = True
        try:
            self.say(next(m["content"] for m in reversed(body["messages"]) if "Do t" in m["content"]))
        except (BrokenPipeError, ConnectionResetError):
            pass

    def say(self, prompt):
        task, given = asked(prompt)
        fail = given["fail"] if random.random() < 0.5 else None
        if fail == "error":
            return self.whole(500, {"error": {"message": "broken"}})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        said = words(task, given["say"])
        for i, word in enumerate(said):
            if fail and i == len(said) // 2:
                if fail == "tool":
                    call = [{"index": 0, "id": "c", "function": {"name": "look", "arguments": "x" * 2_000_000}}]
                    self.event({"tool_calls": call})
                elif fail == "garbage":
                    self.wfile.write(b"data: {\"choices\": [{\n\n")
                return
            self.event({"content": word})
            time.sleep(given["ms"] / 1000 / len(said))
        if given["huge"]:
            raw = b"\xff" * given["huge"]
            self.wfile.write(b'data: {"choices":[{"index":0,"delta":{"content":"' + raw + b'"}}]}\n\n')
        self.wfile.write(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')

    def event(self, delta):
        self.wfile.write(b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n")
        self.wfile.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        """A client that was killed is gone in the middle."""
