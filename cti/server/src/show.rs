//! `demarc show`: asks the running daemon over its API and prints a table or the JSON itself.

use serde_json::Value;
use std::io::{self, Write};

/// What can be shown, with the columns of its table: heading and JSON key.
pub type Columns = &'static [(&'static str, &'static str)];

/// `show spans`
pub const SPANS: Columns = &[
    ("SPAN", "number"),
    ("GROUP", "group"),
    ("SIDE", "side"),
    ("ALARM", "alarm"),
    ("LINK UP", "link_up"),
    ("CHANNELS", "channels"),
    ("FREE", "free"),
];
/// `show channels`
pub const CHANNELS: Columns =
    &[("CHANNEL", "channel"), ("SPAN", "span"), ("TIMESLOT", "timeslot"), ("STATE", "state"), ("LEG", "leg")];
/// `show calls`
pub const CALLS: Columns = &[
    ("CALL", "id"),
    ("FROM", "from"),
    ("TO", "to"),
    ("STATE", "state"),
    ("QUEUE", "queue"),
    ("PLACE", "position"),
    ("AGENT", "agent"),
    ("SECONDS", "seconds"),
];
/// `show queues`
pub const QUEUES: Columns = &[
    ("QUEUE", "name"),
    ("WAITING", "waiting"),
    ("LONGEST WAIT", "longest_wait_seconds"),
    ("AGENTS", "agents_present"),
    ("IDLE", "agents_idle"),
];
/// `show conferences`: a row a party
pub const CONFERENCES: Columns = &[
    ("CONFERENCE", "number"),
    ("NAME", "name"),
    ("CALL", "call"),
    ("LEG", "leg"),
    ("FROM", "from"),
    ("AGENT", "agent"),
    ("ROLE", "role"),
    ("MODERATES", "moderator"),
    ("LEVEL", "level"),
    ("MUTED", "muted"),
    ("SECONDS", "seconds"),
];
/// `show trunks`
pub const TRUNKS: Columns = &[("TRUNK", "name"), ("STATE", "state"), ("STATUS", "status")];
/// `show streams`
pub const STREAMS: Columns = &[
    ("CALL", "call"),
    ("LEG", "leg"),
    ("AGENT", "agent"),
    ("SENT", "sent"),
    ("RECEIVED", "received"),
    ("LOST", "lost"),
    ("JITTER MS", "jitter_ms"),
    ("ROUND TRIP MS", "round_trip_ms"),
    ("MOS", "mos"),
];
/// `show agents`
pub const AGENTS: Columns =
    &[("AGENT", "id"), ("STATE", "state"), ("SECONDS", "seconds"), ("QUEUES", "queues")];

/// The daemon could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// No answer.
    #[error("{url}: no answer; is `demarc serve` running, and is this its [http] listen address?")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// An answer that is no JSON.
    #[error("{url}: the answer is not Demarc's")]
    Foreign {
        /// What was asked.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// The daemon does not do it.
    #[error("{0}")]
    Refused(String),
    /// Standard output is gone.
    #[error("cannot print")]
    Print(#[from] io::Error),
}

/// Asks for `/api/v1/{what}` of the daemon at `base`.
///
/// # Errors
/// When nothing answers there, or something else does.
pub fn fetch(base: &str, what: &str) -> Result<Value, ShowError> {
    let url = format!("{}/api/v1/{what}", base.trim_end_matches('/'));
    let mut answer = ureq::get(&url)
        .call()
        .map_err(|source| ShowError::Unreachable { url: url.clone(), source: Box::new(source) })?;
    answer.body_mut().read_json().map_err(|source| ShowError::Foreign { url, source: Box::new(source) })
}

/// Asks the daemon at `base` to do something: `POST /api/v1/{what}`.
///
/// # Errors
/// When nothing answers there, something else does, or the daemon says why not.
pub fn post(base: &str, what: &str, body: &Value) -> Result<Value, ShowError> {
    let url = format!("{}/api/v1/{what}", base.trim_end_matches('/'));
    let request = ureq::post(&url).config().http_status_as_error(false).build();
    let mut answer = request
        .send_json(body)
        .map_err(|source| ShowError::Unreachable { url: url.clone(), source: Box::new(source) })?;
    let foreign = |source| ShowError::Foreign { url, source: Box::new(source) };
    let value: Value = answer.body_mut().read_json().map_err(foreign)?;
    match value["error"].as_str() {
        Some(error) => Err(ShowError::Refused(error.into())),
        None => Ok(value),
    }
}

/// Prints what the daemon answered.
///
/// # Errors
/// When the daemon does not answer or nothing can be printed.
pub fn show(base: &str, what: &str, columns: Columns, as_json: bool) -> Result<(), ShowError> {
    let answer = fetch(base, what)?;
    let mut out = io::stdout().lock();
    if as_json {
        writeln!(out, "{answer}")?;
    } else {
        write!(out, "{}", table(&spread(answer), columns))?;
    }
    Ok(())
}

/// Rows that have parties become a row for each of them, which tells what both do.
fn spread(answer: Value) -> Value {
    let Value::Array(rows) = answer else { return answer };
    let parties = |mut row: Value| match row["parties"].take() {
        Value::Array(parties) => {
            let whole = |mut party: Value| {
                let told = row.as_object().into_iter().flatten().filter(|(key, _)| *key != "parties");
                told.for_each(|(key, value)| party[key.as_str()] = value.clone());
                party
            };
            parties.into_iter().map(whole).collect::<Vec<_>>()
        }
        _ => {
            row.as_object_mut().map(|row| row.remove("parties"));
            vec![row]
        }
    };
    Value::Array(rows.into_iter().flat_map(parties).collect())
}

/// A table with left-aligned columns as wide as their longest cell.
pub fn table(rows: &Value, columns: Columns) -> String {
    let rows: Vec<Vec<String>> = rows.as_array().map_or_else(Vec::new, |rows| {
        rows.iter().map(|row| columns.iter().map(|(_, key)| cell(&row[*key])).collect()).collect()
    });
    let heading = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|at| {
            rows.iter().chain([&heading]).map(|row: &Vec<String>| row[at].chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in [&heading].into_iter().chain(&rows) {
        let line: Vec<_> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_as_wide_as_their_longest_cell() {
        let rows = json!([{ "number": 1, "group": "telephone company", "link_up": true }]);
        let expected = "SPAN  GROUP              UP\n1     telephone company  yes\n";
        assert_eq!(table(&rows, &[("SPAN", "number"), ("GROUP", "group"), ("UP", "link_up")]), expected);
    }

    #[test]
    fn a_conference_is_a_row_for_each_party() {
        let rows = json!([{ "number": 1, "name": "weekly", "parties": [{ "leg": 2 }, { "leg": 4 }] }, { "number": 7 }]);
        let expected = json!([
            { "leg": 2, "name": "weekly", "number": 1 },
            { "leg": 4, "name": "weekly", "number": 1 },
            { "number": 7 },
        ]);
        assert_eq!(spread(rows), expected);
    }

    #[test]
    fn nothing_to_show_leaves_the_headings() {
        assert_eq!(table(&json!([]), &[("SPAN", "number")]), "SPAN\n");
    }
}
