//! Which URLs the gateway may send keys and prompts to.

use super::text;
use http::Uri;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a URL may lead into a private network, or go without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Private {
    Allowed,
    Refused,
}

/// Checks a URL and returns it without a slash at the end.
///
/// A name is not resolved here; the caller that connects must check the address again.
pub(super) fn check(text: &str, private: Private) -> Result<String, String> {
    let wrong = |what: &str| Err(format!("is not a URL to send to: {what}"));
    let Ok(uri) = text.parse::<Uri>() else {
        return wrong("write, for example, \"https://api.example.com/v1\"");
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return wrong("write, for example, \"https://api.example.com/v1\"");
    };
    if authority.as_str().contains('@') {
        return wrong("a name or password before the host is a secret; use api_key_env");
    }
    if uri.query().is_some() || text.contains('#') {
        return wrong("it has a \"?\" or \"#\"; end it with the path");
    }
    let host = Host::of(authority.host());
    match (scheme, host, private) {
        (_, Host::LinkLocal, _) => {
            wrong("link-local addresses lead to the machine's own credentials")
        }
        (_, Host::Odd, _) => wrong("write the address as four numbers, such as 127.0.0.1"),
        ("https" | "http", Host::Loopback, _)
        | ("https", Host::Public | Host::Name, _)
        | ("https" | "http", Host::Private, Private::Allowed)
        | ("http", Host::Name, Private::Allowed) => Ok(text.trim_end_matches('/').to_owned()),
        ("https" | "http", Host::Private, Private::Refused) => {
            wrong("it leads into a private network; if that is meant, say allow_private = true")
        }
        ("http", Host::Name, Private::Refused) => wrong(
            "http:// would send keys and prompts in the clear; use https://, or say \
             allow_private = true for a server in your own network",
        ),
        ("http", Host::Public, _) => wrong(
            "http:// would send keys and prompts in the clear over the internet; use https://",
        ),
        _ => Err(format!(
            "{} is neither https:// nor http://",
            text::shown(scheme)
        )),
    }
}

/// Where a host is, as far as its text tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Loopback,
    LinkLocal,
    Private,
    Public,
    Name,
    /// An address in a notation that only some programs take for one, such as `2130706433`.
    Odd,
}

impl Host {
    fn of(host: &str) -> Self {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => Self::of_v4(address),
            Ok(IpAddr::V6(address)) => Self::of_v6(address),
            Err(_) if host.eq_ignore_ascii_case("localhost") => Self::Loopback,
            Err(_) if ends_in_a_number(host) => Self::Odd,
            Err(_) => Self::Name,
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        // 100.64.0.0/10 is shared address space (RFC 6598): carriers and cloud providers use it.
        let [first, second, ..] = address.octets();
        let shared = first == 100 && second & 0b1100_0000 == 64;
        if address.is_loopback() {
            Self::Loopback
        } else if address.is_link_local() {
            Self::LinkLocal
        } else if address.is_private()
            || shared
            || address.is_unspecified()
            || address.is_multicast()
            || address.is_broadcast()
        {
            Self::Private
        } else {
            Self::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if let Some(inner) = embedded(address) {
            return Self::of_v4(inner);
        }
        if address.is_loopback() {
            Self::Loopback
        } else if address.is_unicast_link_local() {
            Self::LinkLocal
        } else if address.is_unique_local() || address.is_unspecified() || address.is_multicast() {
            Self::Private
        } else {
            Self::Public
        }
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, by NAT64 (RFC 6052), or by 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(v4(high, low))
        }
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// Whether browsers' rules (WHATWG URL, 3.5) make an IPv4 address of the host.
fn ends_in_a_number(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_out_encrypted_or_stay_here() {
        for url in [
            "https://api.openai.com/v1",
            "https://[2606:4700::1111]/v1",
            "http://127.0.0.1:11434/v1",
            "http://[::1]:8000",
            "http://localhost:8000/v1",
        ] {
            assert_eq!(check(url, Private::Refused), Ok(url.to_owned()), "{url}");
        }
        for url in [
            "http://api.openai.com/v1",
            "http://vllm:8000/v1",
            "https://10.0.0.7/v1",
            "https://100.64.1.1",
            "http://[fd00::1]/v1",
            "https://[::ffff:10.0.0.1]",
        ] {
            assert!(check(url, Private::Refused).is_err(), "{url}");
        }
        for url in ["http://vllm:8000/v1", "http://10.0.0.7/v1"] {
            assert_eq!(check(url, Private::Allowed), Ok(url.to_owned()), "{url}");
        }
    }

    #[test]
    fn nothing_reaches_the_metadata_service_or_the_open_net_in_the_clear() {
        for url in [
            "http://169.254.169.254/v1",
            "https://[fe80::1]",
            "https://[::ffff:169.254.169.254]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[2002:a9fe:a9fe::1]/",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://169.254.43518/",
            "https://169.254.169.254./",
            "http://93.184.216.34/v1",
            "ftp://example.com",
            "file:///etc/passwd",
            "example.com/v1",
            "",
            "https://user:password@example.com",
            "https://example.com/v1?key=1",
            "https://example.com/v1#x",
        ] {
            assert!(check(url, Private::Allowed).is_err(), "{url}");
        }
    }

    #[test]
    fn a_slash_at_the_end_is_dropped() {
        assert_eq!(
            check("https://example.com/v1/", Private::Refused),
            Ok("https://example.com/v1".to_owned())
        );
    }
}
