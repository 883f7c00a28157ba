//! As much HTTP as two small servers need: GET, one request for each connection.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);

pub struct Answer {
    status: &'static str,
    content_type: &'static str,
    body: String,
}

impl Answer {
    pub fn text(body: impl Into<String>) -> Answer {
        Answer::ok("text/plain; charset=utf-8", body.into())
    }

    pub fn html(body: String) -> Answer {
        Answer::ok("text/html; charset=utf-8", body)
    }

    pub fn json(body: String) -> Answer {
        Answer::ok("application/json", body)
    }

    pub fn not_found() -> Answer {
        Answer { status: "404 Not Found", ..Answer::text("not found\n") }
    }

    fn ok(content_type: &'static str, body: String) -> Answer {
        Answer { status: "200 OK", content_type, body }
    }
}

/// Serve for ever: `answer` gets the path of each GET.
pub fn serve(port: u16, answer: fn(&str) -> Answer) -> Result<()> {
    for connection in TcpListener::bind(("0.0.0.0", port))?.incoming() {
        let connection = connection?;
        // A client that goes away in the middle is its own affair.
        thread::spawn(move || talk(connection, answer).ok());
    }
    Ok(())
}

fn talk(mut connection: TcpStream, answer: fn(&str) -> Answer) -> Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(&connection).take(16 * 1024).lines();
    let request = lines.next().unwrap_or_else(|| Err(ErrorKind::UnexpectedEof.into()))?;
    // Its headers have to be read, or closing would reset the connection.
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let mut words = request.split(' ');
    let found = match (words.next(), words.next()) {
        (Some("GET"), Some(path)) => answer(path),
        _ => Answer::not_found(),
    };
    write!(
        connection,
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
        found.status,
        found.content_type,
        found.body.len(),
        found.body
    )
}

/// The body that `path` has there.
pub fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    write!(connection, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut text = String::new();
    connection.read_to_string(&mut text)?;
    match text.split_once("\r\n\r\n") {
        Some((_, body)) => Ok(body.to_string()),
        None => Err(Error::from(ErrorKind::InvalidData)),
    }
}
