//! Demarc's HTTP interface, as a client sees it.

use serde_json::Value;
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// The answer to `GET path` as status and body; an error where nobody answers.
///
/// # Errors
/// What the socket says.
pub fn get(port: u16, path: &str) -> std::io::Result<(u16, String)> {
    ask(port, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
}

/// The answer to `POST path` with a JSON body, which must be 200.
///
/// # Panics
/// When it is not.
pub fn post(port: u16, path: &str, body: &Value) -> Value {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = ask(port, &request).unwrap_or_else(|error| panic!("POST {path}: {error}"));
    assert_eq!(status, 200, "POST {path} {body}: {answer}");
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("POST {path}: {error}: {answer}"))
}

/// The answer to `POST path` as status and body; `more` are further lines of the head.
///
/// # Errors
/// What the socket says.
pub fn try_post(port: u16, path: &str, more: &str, body: &str) -> std::io::Result<(u16, String)> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n{more}");
    ask(port, &format!("{head}Content-Length: {length}\r\n\r\n{body}"))
}

fn ask(port: u16, request: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request.as_bytes())?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Ok((status, if chunked { joined_chunks(body) } else { body.to_owned() }))
}

fn joined_chunks(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || rest.len() < size {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

/// The JSON at a path, which must answer 200.
///
/// # Panics
/// When it does not.
pub fn json(port: u16, path: &str) -> Value {
    let (status, body) = get(port, path).unwrap_or_else(|error| panic!("GET {path}: {error}"));
    assert_eq!(status, 200, "GET {path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("GET {path}: {error}: {body}"))
}

/// The list at a path: the answer itself, or the list under `key` in it.
pub fn list(port: u16, path: &str, key: &str) -> Vec<Value> {
    match json(port, path) {
        Value::Array(list) => list,
        Value::Object(mut members) => match members.remove(key) {
            Some(Value::Array(list)) => list,
            other => panic!("GET {path}: no list {key:?} but {other:?}"),
        },
        other => panic!("GET {path}: neither list nor object: {other}"),
    }
}
