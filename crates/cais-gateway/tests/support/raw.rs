//! Clients made of raw TCP.

use super::{PATIENCE, find};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A client's connection, raw.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    rest: Vec<u8>,
}

/// An answer, as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            rest: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A gateway that has refused may close before all is sent.
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"))
            .await;
        self.answer().await.expect("an answer")
    }

    async fn fill(&mut self) -> Option<()> {
        let mut bytes = [0; 16 * 1024];
        let read = timeout(PATIENCE, self.stream.read(&mut bytes))
            .await
            .expect("the gateway does not answer");
        let read = read.ok().filter(|read| *read > 0)?;
        self.rest.extend_from_slice(&bytes[..read]);
        Some(())
    }

    pub(crate) async fn head(&mut self) -> Option<Answer> {
        while find(&self.rest, b"\r\n\r\n").is_none() {
            self.fill().await?;
        }
        let end = find(&self.rest, b"\r\n\r\n").unwrap() + 4;
        let head: Vec<u8> = self.rest.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some(Answer {
            status,
            head,
            body: Vec::new(),
        })
    }

    /// The next final answer; `None` when the connection ends before its end.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        self.answer_to("GET").await
    }

    pub(crate) async fn answer_to(&mut self, method: &str) -> Option<Answer> {
        let mut answer = self.head().await?;
        while (100..200).contains(&answer.status) && answer.status != 101 {
            answer = self.head().await?;
        }
        if method == "HEAD" || matches!(answer.status, 101 | 204 | 304) {
            return Some(answer);
        }
        if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                while find(&self.rest, b"\r\n").is_none() {
                    self.fill().await?;
                }
                let line = find(&self.rest, b"\r\n").unwrap();
                let size =
                    usize::from_str_radix(std::str::from_utf8(&self.rest[..line]).unwrap(), 16)
                        .unwrap();
                if size == 0 {
                    while find(&self.rest, b"\r\n\r\n").is_none() {
                        self.fill().await?;
                    }
                    let end = find(&self.rest, b"\r\n\r\n").unwrap() + 4;
                    let trailers: Vec<u8> = self.rest.drain(..end).collect();
                    answer
                        .head
                        .push_str(&String::from_utf8_lossy(&trailers[line + 2..]));
                    return Some(answer);
                }
                while self.rest.len() < line + 2 + size + 2 {
                    self.fill().await?;
                }
                answer
                    .body
                    .extend_from_slice(&self.rest[line + 2..line + 2 + size]);
                self.rest.drain(..line + 2 + size + 2);
            }
        }
        if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().unwrap();
            while self.rest.len() < length {
                self.fill().await?;
            }
            answer.body = self.rest.drain(..length).collect();
            return Some(answer);
        }
        while self.fill().await.is_some() {}
        answer.body = std::mem::take(&mut self.rest);
        Some(answer)
    }

    /// All that comes until the connection ends.
    pub(crate) async fn remainder(&mut self) -> String {
        while self.fill().await.is_some() {}
        String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned()
    }

    /// Bytes of a tunnel, exactly so many.
    pub(crate) async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.rest.len() < count {
            self.fill().await.expect("more bytes");
        }
        self.rest.drain(..count).collect()
    }
}

/// One request on a connection of its own.
pub(crate) async fn request(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Option<Answer> {
    let mut raw = Raw::connect(address).await;
    raw.send(bytes).await;
    raw.answer().await
}
