//! Reading and making messages: what every part needs of headers.
use crate::cause::reason_phrase;
use bytes::Bytes;
use sipx_sip::{
    Address, CSeq, Header, HeaderName, Headers, Method, Request, RequestBuilder, Response, ResponseBuilder,
    StatusCode, Uri,
};
use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
};

/// The methods we take, for Allow.
pub(crate) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, REGISTER";

/// A header to add.
pub(crate) type Extra = (HeaderName, Bytes);

/// A request before its Via: what stays the same when it is sent again with credentials.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub method: Method,
    pub uri: Uri,
    pub call_id: String,
    pub from: Bytes,
    pub to: Bytes,
    pub cseq: u32,
    pub headers: Vec<Extra>,
    pub body: Bytes,
    /// How often it was answered with a challenge.
    pub tries: u8,
}

impl Draft {
    /// `None` when a header holds what would break the message.
    pub fn build(&self, via: Bytes, product: &str) -> Option<Request> {
        let mut builder = RequestBuilder::new(self.method.clone(), self.uri.clone())
            .header(HeaderName::Via, via)
            .ok()?
            .max_forwards(70)
            .header(HeaderName::From, self.from.clone())
            .ok()?
            .header(HeaderName::To, self.to.clone())
            .ok()?
            .header(HeaderName::CallId, self.call_id.clone())
            .ok()?
            .cseq(self.cseq, &self.method)
            .ok()?
            .header(HeaderName::UserAgent, product.to_owned())
            .ok()?;
        for (name, value) in &self.headers {
            builder = builder.header(name.clone(), value.clone()).ok()?;
        }
        Some(builder.body(self.body.clone()).build())
    }
}

/// A response with what must be copied (RFC 3261 8.2.6.2) and a To tag where there is none.
pub(crate) fn response(
    request: &Request,
    status: u16,
    tag: &str,
    extra: &[Extra],
    body: Vec<u8>,
    product: &str,
) -> Option<Response> {
    let code = StatusCode::new(status)?;
    let Ok(mut builder) = ResponseBuilder::to_request(request, code, reason_phrase(status)) else {
        return incomplete(request, code);
    };
    if status > 100 && tag_of(&request.headers, &HeaderName::To).is_none() {
        let mut to = printable(&raw(&request.headers, &HeaderName::To)?);
        to.extend_from_slice(format!(";tag={tag}").as_bytes());
        builder = builder.set_header(&HeaderName::To, to).ok()?;
    }
    builder = builder.header(HeaderName::Server, product.to_owned()).ok()?;
    for (name, value) in extra {
        builder = builder.header(name.clone(), value.clone()).ok()?;
    }
    Some(builder.body(body).build())
}

/// The answer to a request that lacks what must be copied: what there is of it (RFC 4475 3.3.1).
fn incomplete(request: &Request, code: StatusCode) -> Option<Response> {
    let mut builder = ResponseBuilder::new(code, reason_phrase(code.code())).ok()?;
    let copied = [HeaderName::Via, HeaderName::From, HeaderName::To, HeaderName::CallId, HeaderName::CSeq];
    for name in copied {
        for header in request.headers.get_all(&name).take(64) {
            builder = builder.header(name.clone(), header.value().into_owned()).ok()?;
        }
    }
    Some(builder.body(Vec::new()).build())
}

/// A value without control characters, which an escape in a display name may bring (RFC 4475 3.1.1.2) and which are not
/// sent on. Nothing is known by a display name.
pub(crate) fn printable(value: &[u8]) -> Vec<u8> {
    let shown = |c: &u8| if c.is_ascii_control() && *c != b'\t' { b'?' } else { *c };
    value.iter().map(shown).collect()
}

pub(crate) fn raw(headers: &Headers, name: &HeaderName) -> Option<Bytes> {
    headers.value(name).map(|v| Bytes::from(v.into_owned()))
}

pub(crate) fn text(headers: &Headers, name: &HeaderName) -> Option<String> {
    headers.value(name).map(|v| String::from_utf8_lossy(&v).trim().to_owned())
}

pub(crate) fn address(headers: &Headers, name: &HeaderName) -> Option<Address> {
    Address::parse(&headers.value(name)?, "address").ok()
}

pub(crate) fn tag_of(headers: &Headers, name: &HeaderName) -> Option<String> {
    address(headers, name)?.tag().map(|t| String::from_utf8_lossy(t).into_owned())
}

pub(crate) fn cseq(headers: &Headers) -> Option<u32> {
    headers.typed::<CSeq>()?.ok().map(|c| c.sequence)
}

/// The user part with its escapes undone.
pub(crate) fn user_of(uri: &Uri) -> Option<String> {
    if let Some(tel) = uri.tel_parts() {
        return Some(String::from_utf8_lossy(tel.subscriber()).into_owned());
    }
    let user = String::from_utf8(uri.decoded_user()?).ok()?;
    // Parameters of a telephone number may stand in the user part (RFC 3261 19.1.6).
    let number = user.split(';').next().unwrap_or_default();
    Some(number.to_owned()).filter(|n| !n.is_empty() && !n.chars().any(char::is_control))
}

pub(crate) fn host_of(uri: &Uri) -> Option<String> {
    Some(uri.host()?.to_string().trim_matches(['[', ']']).to_ascii_lowercase())
}

/// Where a URI leads without a look into DNS: only IP addresses do.
pub(crate) fn socket_of(uri: &Uri) -> Option<SocketAddr> {
    let ip: IpAddr = host_of(uri)?.parse().ok()?;
    Some(SocketAddr::new(ip, uri.port().unwrap_or(5060)))
}

/// Every address of a header that may stand on several lines and hold lists; bounded.
pub(crate) fn addresses(headers: &Headers, name: &HeaderName) -> Vec<Address> {
    let lines = headers.get_all(name).take(32);
    let lists = lines.filter_map(|h| Address::parse_list(&h.value(), "address").ok());
    lists.flatten().take(32).collect()
}

/// A user part as it may stand in a URI (RFC 3261 25.1).
pub(crate) fn escape_user(user: &str) -> String {
    user.bytes().fold(String::new(), |mut text, c| {
        if c.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&c) {
            text.push(char::from(c));
        } else {
            text.push_str(&format!("%{c:02X}"));
        }
        text
    })
}

pub(crate) fn uri(text: &str) -> Option<Uri> {
    Uri::parse(Bytes::copy_from_slice(text.as_bytes())).ok()
}

/// Writes where the request really came from into its top Via (RFC 3261 18.2.1, RFC 3581 4), and says where responses
/// go over a datagram transport (RFC 3261 18.2.2).
pub(crate) fn mark_source(request: &mut Request, source: SocketAddr) -> Option<SocketAddr> {
    let value = raw(&request.headers, &HeaderName::Via)?;
    let end = sipx_sip::headers::via::first_hop_end(&value);
    let via = sipx_sip::Via::parse_one(value.get(..end)?).ok()?;
    let mut hop = format!(
        "{}/{}/{} {}",
        String::from_utf8_lossy(&via.protocol),
        String::from_utf8_lossy(&via.version),
        String::from_utf8_lossy(&via.transport),
        via.host
    );
    if let Some(port) = via.port {
        hop.push_str(&format!(":{port}"));
    }
    let symmetric = via.rport().is_some();
    let params = value.get(..end).map(String::from_utf8_lossy)?;
    for param in params.split(';').skip(1) {
        let name = param.split('=').next().unwrap_or_default().trim().to_ascii_lowercase();
        if name != "received" && name != "rport" {
            hop.push(';');
            hop.push_str(param.trim());
        }
    }
    if symmetric {
        hop.push_str(&format!(";rport={}", source.port()));
    }
    if symmetric || via.host.to_string().trim_matches(['[', ']']) != source.ip().to_string() {
        hop.push_str(&format!(";received={}", source.ip()));
    }
    let rest = value.get(end..).unwrap_or_default();
    let marked = [hop.as_bytes(), rest].concat();
    request.headers.remove_first(&HeaderName::Via);
    request.headers.push_front(Header::build(HeaderName::Via, marked).ok()?);
    let port = if symmetric { source.port() } else { via.port.unwrap_or(5060) };
    Some(SocketAddr::new(source.ip(), port))
}

/// The request as transactions are told apart by it: a branch that is only the magic cookie tells nothing, and is as good
/// as none (RFC 4475 3.2.1; RFC 3261 17.2.3).
pub(crate) fn without_bare_branch(request: &Request) -> Cow<'_, Request> {
    let whole = Cow::Borrowed(request);
    let Some(value) = raw(&request.headers, &HeaderName::Via) else { return whole };
    let end = sipx_sip::headers::via::first_hop_end(&value);
    let hop = String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned();
    let bare = |param: &str| param.trim().eq_ignore_ascii_case("branch=z9hG4bK");
    if !hop.split(';').any(bare) {
        return whole;
    }
    let kept: Vec<&str> = hop.split(';').filter(|param| !bare(param)).collect();
    let via = [kept.join(";").as_bytes(), value.get(end..).unwrap_or_default()].concat();
    let Ok(via) = Header::build(HeaderName::Via, via) else { return whole };
    let mut request = request.clone();
    request.headers.remove_first(&HeaderName::Via);
    request.headers.push_front(via);
    Cow::Owned(request)
}

/// A 4xx or 5xx to a request that the parser refused, where enough of it can be read (RFC 4475 3.1.2).
pub(crate) fn salvage(data: &[u8], status: u16, tag: &str) -> Option<Vec<u8>> {
    let head = String::from_utf8_lossy(data.get(..data.len().min(8192))?).into_owned();
    let mut lines: Vec<String> = Vec::new();
    for line in head.split('\n').map(|l| l.trim_end_matches('\r')).take_while(|l| !l.is_empty()).take(128) {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) && !last.is_empty() => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    let start = lines.first()?;
    if start.starts_with("SIP/") || start.starts_with("ACK ") || !start.contains("SIP/") {
        return None;
    }
    let wanted: [(&str, &str); 5] =
        [("Via", "v"), ("From", "f"), ("To", "t"), ("Call-ID", "i"), ("CSeq", "cseq")];
    let mut out = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status));
    for (name, short) in wanted {
        let values: Vec<&str> = lines.iter().skip(1).filter_map(|l| named(l, name, short)).collect();
        let first = *values.first()?;
        let kept: &[&str] = if name == "Via" { &values } else { &values[..1] };
        for value in kept {
            out.push_str(&format!("{name}: {value}"));
            if name == "To" && !first.to_ascii_lowercase().contains("tag=") {
                out.push_str(&format!(";tag={tag}"));
            }
            out.push_str("\r\n");
        }
    }
    sipx_sip::Via::parse_list(lines.iter().skip(1).find_map(|l| named(l, "Via", "v"))?.as_bytes()).ok()?;
    out.push_str("Content-Length: 0\r\n\r\n");
    Some(out.into_bytes())
}

fn named<'a>(line: &'a str, name: &str, short: &str) -> Option<&'a str> {
    let (found, value) = line.split_once(':')?;
    let found = found.trim();
    (found.eq_ignore_ascii_case(name) || found.eq_ignore_ascii_case(short)).then_some(value.trim())
}
