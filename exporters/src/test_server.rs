//! A scripted HTTP server for tests: it remembers requests and gives the answers it was told to.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }
}

/// What the server does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// Answers with this status and these raw header lines.
    Status(u16, &'static str),
    /// Answers with this status and this text.
    Text(u16, &'static str),
    /// Never answers.
    Silence,
    /// Closes the connection.
    Close,
}

/// Listens on a port of its own; without a script it answers 200.
#[derive(Clone)]
pub(crate) struct TestServer {
    pub(crate) url: String,
    script: Arc<Mutex<Vec<Answer>>>,
    requests: Arc<Mutex<Vec<Request>>>,
    arrived: Arc<Notify>,
}

impl TestServer {
    /// A server that gives `answers` in turn and then 200.
    pub(crate) async fn start(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            script: Arc::new(Mutex::new(answers.iter().rev().copied().collect())),
            requests: Arc::default(),
            arrived: Arc::default(),
        };
        let shared = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(shared.clone().serve(stream));
            }
        });
        server
    }

    /// Gives one more answer before the 200s.
    pub(crate) fn answer_next(&self, answer: Answer) {
        self.script.lock().unwrap().insert(0, answer);
    }

    /// Everything that arrived so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until `n` requests have arrived.
    pub(crate) async fn wait_for(&self, n: usize) -> Vec<Request> {
        loop {
            let arrived = self.arrived.notified();
            let requests = self.requests();
            if requests.len() >= n {
                return requests;
            }
            arrived.await;
        }
    }

    async fn serve(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read_request(&mut stream).await {
            let answer = self.script.lock().unwrap().pop().unwrap_or(Answer::Status(200, ""));
            self.requests.lock().unwrap().push(request);
            self.arrived.notify_waiters();
            match answer {
                Answer::Status(status, headers) => {
                    let text = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: 0\r\n{headers}\r\n");
                    stream.get_mut().write_all(text.as_bytes()).await.unwrap();
                }
                Answer::Text(status, body) => {
                    let length = body.len();
                    let text =
                        format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {length}\r\n\r\n{body}");
                    stream.get_mut().write_all(text.as_bytes()).await.unwrap();
                }
                Answer::Silence => std::future::pending().await,
                Answer::Close => return,
            }
        }
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let headers: Vec<_> = lines
        .iter()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length =
        headers.iter().find(|(key, _)| key == "content-length").map_or(0, |(_, v)| v.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { line: lines.remove(0), headers, body: String::from_utf8(body).unwrap() })
}
