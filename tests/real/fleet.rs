//! Real llama-servers of a test's own, on free ports: started, killed, asked to end, and ended with the test.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is at hand.
pub(crate) struct Real {
    program: PathBuf,
    /// A small, quick model.
    pub(crate) model: PathBuf,
    /// One that takes some milliseconds a token.
    pub(crate) slow: PathBuf,
    /// One whose template opens the thinking itself.
    pub(crate) think: Option<PathBuf>,
    /// One test at a time: they measure times, on machines with few processors.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

/// What the environment names, once it is this test's turn; none, and a word on it, where it names nothing.
pub(crate) fn real() -> Option<Real> {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_file());
    let (Some(program), Some(model)) = (path("BATON_REAL_LLAMA_SERVER"), path("BATON_REAL_MODEL")) else {
        eprintln!(
            "skipped: set BATON_REAL_LLAMA_SERVER to a llama-server and BATON_REAL_MODEL to a small model (GGUF); \
             BATON_REAL_MODEL_SLOW may name one that is slower, BATON_REAL_MODEL_THINK one whose template opens <think>"
        );
        return None;
    };
    let slow = path("BATON_REAL_MODEL_SLOW").unwrap_or_else(|| model.clone());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    Some(Real { program, model, slow, think: path("BATON_REAL_MODEL_THINK"), _turn: turn })
}

/// A free port: the system does not give it out again for a while.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A llama-server. Ended when it is dropped, also by a panic.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) port: u16,
    command: Box<dyn Fn() -> Child + Send>,
    child: Child,
}

impl Real {
    /// Starts one with so many slots of so many tokens each, and waits until it answers.
    pub(crate) fn start(&self, model: &Path, slots: u32, context: u32, more: &[&str]) -> Server {
        let port = free_port();
        let (program, model) = (self.program.clone(), model.to_owned());
        let more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
        let command = Box::new(move || {
            let folder = program.parent().unwrap();
            let mut command = Command::new(&program);
            command.arg("-m").arg(&model).args(["--host", "127.0.0.1", "--port", &port.to_string(), "-a", "m"]);
            command.args(["-np", &slots.to_string(), "-c", &(slots * context).to_string()]);
            command.args(["--slots", "--metrics", "--jinja", "--offline", "-t", "1", "-tb", "1"]).args(&more);
            // Its libraries lie beside it.
            command.env("LD_LIBRARY_PATH", folder).env("DYLD_LIBRARY_PATH", folder);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        });
        let server = Server { port, child: command(), command };
        server.wait();
        server
    }
}

impl Server {
    /// Waits until it answers.
    pub(crate) fn wait(&self) {
        let begun = Instant::now();
        while !is_up(self.port) {
            assert!(begun.elapsed() < Duration::from_secs(60), "llama-server does not answer on port {}", self.port);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, on its port.
    pub(crate) fn again(&mut self) {
        self.child = (self.command)();
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_up(port: u16) -> bool {
    let asked = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head.ends_with(b"200"))
    };
    asked().unwrap_or(false)
}

/// A server that loads its model for a given time, as those of 80 GB do: it says so on every path, then a real one answers
/// behind it.
pub(crate) struct Loading {
    /// Where.
    pub(crate) port: u16,
    over: Arc<AtomicBool>,
}

impl Loading {
    /// Begins to load.
    pub(crate) fn start(behind: u16, time: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, over, begun) =
            (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)), Instant::now());
        let ended = Arc::clone(&over);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                let ready = begun.elapsed() >= time;
                std::thread::spawn(move || if ready { through(&stream, behind) } else { refuse(stream) });
            }
        });
        Self { port, over }
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let body = "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}";
    let head = "HTTP/1.1 503 Service Unavailable\r\nServer: llama.cpp\r\nContent-Type: application/json; charset=utf-8";
    stream.write_all(format!("{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).as_bytes())
}

fn through(client: &TcpStream, behind: u16) -> std::io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", behind))?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_client, &mut to_server);
        to_server.shutdown(std::net::Shutdown::Write)
    });
    let (mut from_server, mut to_client) = (server, client.try_clone()?);
    std::io::copy(&mut from_server, &mut to_client)?;
    client.shutdown(std::net::Shutdown::Both)
}
