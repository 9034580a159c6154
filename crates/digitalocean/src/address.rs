//! Which hosts may be spoken to: loopback for plain http, public addresses for URLs that came from outside.
//!
//! A presigned log URL or a health URL is somebody else's text. Followed blindly it would let that text reach
//! the metadata service of the machine we run on. This module only judges addresses; it resolves no name and
//! opens no connection. The ranges follow the IANA special-purpose address registries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Returns whether the URL's host is this machine by its spelling: `localhost`, `127.0.0.0/8` or `::1`.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Returns whether the URL's host can be a public one, as far as its spelling tells.
///
/// A name other than `localhost` passes: what it resolves to is judged by [`is_public`] at connect time.
#[must_use]
pub fn can_be_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            name != "localhost" && !name.ends_with(".localhost")
        }
        Some(Host::Ipv4(ip)) => is_public(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_public(IpAddr::V6(ip)),
        None => false,
    }
}

/// Returns whether an address is globally reachable unicast, so that a URL from outside may be followed to it.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = match a {
        0 | 10 | 127 => true,
        100 => (64..128).contains(&b),
        169 => b == 254,
        172 => (16..32).contains(&b),
        192 => matches!((b, c), (0, 0 | 2) | (88, 99) | (168, _)),
        198 => matches!((b, c), (18 | 19, _) | (51, 100)),
        203 => (b, c) == (0, 113),
        // Multicast, reserved and broadcast.
        224..=255 => true,
        _ => false,
    };
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    // The NAT64 prefix stands for the IPv4 address in its last 32 bits; on IPv6-only networks every IPv4-only
    // host has such an address, so it is judged by the address it stands for.
    if [a, b, c, d, e, f] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [g0, g1] = g.to_be_bytes();
        let [h0, h1] = h.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(g0, g1, h0, h1));
    }
    // Only 2000::/3 is handed out as global unicast. Out of it: 2001::/23 (protocol assignments, Teredo),
    // 2001:db8::/32 and 3fff::/20 (documentation), 2002::/16 (6to4, which embeds any IPv4 address).
    let global = (0x2000..0x4000).contains(&a);
    let carved_out =
        (a == 0x2001 && (b < 0x0200 || b == 0x0db8)) || a == 0x2002 || (a == 0x3fff && b < 0x1000);
    global && !carved_out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_purpose_addresses_are_not_public() {
        let refused = [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.254",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.254",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a9fe:a9fe::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in refused {
            assert!(!is_public(text.parse().unwrap()), "{text} passed");
        }
    }

    #[test]
    fn global_addresses_are_public() {
        let allowed = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "203.0.112.1",
            "223.255.255.255",
            "2001:200::1",
            "2606:4700::1111",
            "2a03:b0c0::1",
            "64:ff9b::808:808",
        ];
        for text in allowed {
            assert!(is_public(text.parse().unwrap()), "{text} was refused");
        }
    }

    #[test]
    fn odd_spellings_of_loopback_are_seen_through() {
        for text in [
            "https://127.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://[::ffff:7f00:1]/",
            "https://localhost./",
            "https://a.LOCALHOST/",
        ] {
            assert!(!can_be_public(&text.parse().unwrap()), "{text} passed");
        }
        assert!(can_be_public(&"https://logs.example.com/".parse().unwrap()));
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for text in [
            "http://127.0.0.1:8080/",
            "http://127.9.9.9/",
            "http://[::1]/",
            "http://LocalHost/",
        ] {
            assert!(
                is_loopback(&text.parse().unwrap()),
                "{text} is not loopback"
            );
        }
        for text in [
            "http://10.0.0.1/",
            "http://localhost.example.com/",
            "http://0.0.0.0/",
            "http://[::ffff:7f00:1]/",
        ] {
            assert!(!is_loopback(&text.parse().unwrap()), "{text} is loopback");
        }
    }
}
