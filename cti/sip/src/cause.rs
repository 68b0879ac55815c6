//! Between Q.850 causes and SIP statuses: RFC 3398, with the pairs that operators expect where it is coarse, and the
//! Reason header of RFC 3326, which carries a cause unharmed.
use demarc_model::Cause;
use sipx_sip::{HeaderName, Headers};

/// The status that refuses a call for this cause (RFC 3398 7.2.4.1).
pub fn status_of(cause: Cause) -> u16 {
    match cause.0 {
        1..=3 | 26 => 404,
        17 => 486,
        16 | 18..=20 | 31 => 480,
        21 => 603,
        22 | 23 => 410,
        27 => 502,
        28 => 484,
        25 => 483,
        29 | 69 | 79 => 501,
        50 | 55 | 57 | 87 => 403,
        65 | 70 | 88 => 488,
        34 | 38 | 41 | 42 | 44 | 47 | 58 | 63 => 503,
        102 => 504,
        _ => 500,
    }
}

/// The cause that a final status stands for when there is no Reason header (RFC 3398 8.2.6.1).
pub fn cause_of(status: u16) -> Cause {
    Cause(match status {
        300..=399 => 23,
        401..=403 | 407 | 603 => 21,
        404 | 485 | 604 => 1,
        405 => 63,
        406 | 415 | 501 => 79,
        408 | 504 => 102,
        410 => 22,
        413 | 414 | 416 | 420 | 421 | 423 | 505 | 513 => 127,
        480 => 18,
        482 | 483 => 25,
        484 => 28,
        486 | 600 => 17,
        487 => 16,
        488 | 606 => 88,
        502 => 38,
        400 | 481 | 500 | 503 => 41,
        580 => 47,
        _ => 31,
    })
}

/// The words that go with a status (RFC 3261 21).
pub(crate) fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Request Entity Too Large",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        491 => "Request Pending",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        600 => "Busy Everywhere",
        603 => "Decline",
        _ => "Unspecified",
    }
}

/// The value of a Reason header (RFC 3326 2).
pub(crate) fn reason(cause: Cause) -> String {
    format!("Q.850;cause={};text=\"{}\"", cause.0, cause.text())
}

/// The Q.850 cause of the Reason headers, where there is one.
pub(crate) fn reason_cause(headers: &Headers) -> Option<Cause> {
    let values = headers.get_all(&HeaderName::Reason).take(8).map(|h| h.value().to_vec());
    values.into_iter().find_map(|value| {
        let text = String::from_utf8_lossy(&value).to_ascii_lowercase();
        text.split(',').find_map(|one| {
            let mut parts = one.split(';').map(str::trim);
            if parts.next() != Some("q.850") {
                return None;
            }
            let cause: u8 = parts.find_map(|p| p.strip_prefix("cause="))?.trim().parse().ok()?;
            (1..=127).contains(&cause).then_some(Cause(cause))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_and_statuses_map_as_rfc_3398_says() {
        let both = [(1, 404), (17, 486), (18, 480), (21, 603), (28, 484), (41, 503), (22, 410), (79, 501)];
        for (cause, status) in both {
            assert_eq!(status_of(Cause(cause)), status, "cause {cause}");
            assert_eq!(cause_of(status), Cause(cause), "status {status}");
        }
        let out = [
            (3, 404),
            (19, 480),
            (20, 480),
            (16, 480),
            (34, 503),
            (42, 503),
            (47, 503),
            (57, 403),
            (102, 504),
            (127, 500),
        ];
        for (cause, status) in out {
            assert_eq!(status_of(Cause(cause)), status, "cause {cause}, 7.2.4.1");
        }
        let back = [
            (400, 41),
            (403, 21),
            (408, 102),
            (482, 25),
            (487, 16),
            (500, 41),
            (503, 41),
            (504, 102),
            (600, 17),
            (699, 31),
        ];
        for (status, cause) in back {
            assert_eq!(cause_of(status), Cause(cause), "status {status}, 8.2.6.1");
        }
    }
}
