//! A WebSocket session (RFC 6455): echoes at a steady pace, closed by us. An end that comes from the other side is a failure.

use super::Attempt;
use crate::outcome::{Fault, Reason, Who};
use crate::wire::Wire;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

pub(super) async fn session(attempt: &mut Attempt) -> Result<(), Fault> {
    let shape = attempt.client.shape;
    let deadline = attempt.deadline(shape.ws);
    let wire = Wire::open(attempt.client.address, deadline).await?;
    let mut socket = open(attempt, wire, deadline).await?;
    let began = Instant::now();
    let mut echo = 0_u32;
    while began.elapsed() < shape.ws {
        let text = format!("{} {echo}", attempt.number);
        in_time(deadline, socket.send(Message::text(text.clone()))).await?;
        match in_time(deadline, next(&mut socket)).await? {
            Some(Message::Text(back)) if back.as_str() == text => {}
            Some(Message::Text(_) | Message::Binary(_)) => return Err(begun(Reason::WrongBody)),
            _ => return Err(begun(Reason::WsEnded)),
        }
        echo += 1;
        let moment = (began + shape.ws_every * echo).min(began + shape.ws);
        tokio::select! {
            () = sleep_until(moment) => {}
            // Nothing may come between two echoes.
            _ = next(&mut socket) => return Err(begun(Reason::WsEnded)),
        }
    }
    in_time(deadline, socket.close(None)).await?;
    // The other side's own close frame ends the session (section 7.1.1).
    match in_time(deadline, next(&mut socket)).await {
        Ok(Some(Message::Close(_)) | None) => Ok(()),
        Ok(Some(_)) => Err(begun(Reason::WrongBody)),
        Err(fault) => Err(fault),
    }
}

async fn open(
    attempt: &mut Attempt,
    wire: Wire,
    deadline: Instant,
) -> Result<WebSocketStream<TcpStream>, Fault> {
    let client = attempt.client.clone();
    let url = format!(
        "ws://{}{}/ws?n={}",
        client.address, client.prefix, attempt.number
    );
    let handshake = client_async(url, wire.into_stream());
    let fault = |reason, answer_begun| Fault {
        reason,
        answer_begun,
    };
    let Ok(result) = timeout_at(deadline, handshake).await else {
        return Err(fault(Reason::Timeout, false));
    };
    match result {
        Ok((socket, answer)) => {
            attempt.head = Some(Instant::now());
            let field = |name: &str| {
                let value = answer
                    .headers()
                    .get(name)
                    .and_then(|value| value.to_str().ok());
                value.unwrap_or_default().to_owned()
            };
            attempt.who = Some(Who {
                task: field("x-task"),
                revision: field("x-revision"),
                pid: field("x-pid").parse().unwrap_or_default(),
            });
            Ok(socket)
        }
        Err(tungstenite::Error::Http(answer)) => {
            Err(fault(Reason::Status(answer.status().as_u16()), true))
        }
        // tungstenite does not say whether a byte had come; a connection that ends within a head is as rare as it is wrong.
        Err(
            tungstenite::Error::Io(_)
            | tungstenite::Error::ConnectionClosed
            | tungstenite::Error::Protocol(_),
        ) => Err(fault(Reason::ResetBeforeHead, false)),
        Err(_) => Err(fault(Reason::NotHttp, true)),
    }
}

/// The next message that is not a ping or pong; `None` at the end.
async fn next(
    socket: &mut WebSocketStream<TcpStream>,
) -> Result<Option<Message>, tungstenite::Error> {
    loop {
        match socket.next().await.transpose()? {
            Some(Message::Ping(_) | Message::Pong(_)) => {}
            message => return Ok(message),
        }
    }
}

async fn in_time<T>(
    deadline: Instant,
    step: impl Future<Output = Result<T, tungstenite::Error>>,
) -> Result<T, Fault> {
    match timeout_at(deadline, step).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) => Err(begun(Reason::WsEnded)),
        Err(_) => Err(begun(Reason::Timeout)),
    }
}

fn begun(reason: Reason) -> Fault {
    Fault {
        reason,
        answer_begun: true,
    }
}
